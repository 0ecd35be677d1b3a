"""Several definitions: who gets the next training job."""

import pytest

from alfine import Categorical, Continuous
from alfine.core.facts import Launched, Reported, TuningJobStopAsked
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook
from alfine.jobs.policy_for import policy_for, replayed
from alfine.strategies import strategy_for
from alfine.strategies.several_definitions import INITIAL
from tests.building import EPOCH, one_job, several

LINE = {"space": {"x": Continuous(0, 1)}}


def played(request, objective, count):
    """A history of training jobs that the job's own strategy suggested; objective(definition, hyperparameters)."""
    past = History(read_spec(request), EPOCH)
    strategy = strategy_for(past.spec)
    for _ in range(count):
        chosen = strategy.ask(past)
        if chosen is None:
            break
        value = objective(chosen.definition, chosen.hyperparameters)
        words = {"hyperparameters": chosen.hyperparameters, "definition": chosen.definition}
        for fact in one_job(past, value, status="Completed" if value is not None else "Failed", **words):
            past.record(fact)
    return strategy, past


def shares(past):
    return {name: past.of(name).launches for name in past.spec.parts}


def offset(**of):
    return lambda definition, point: of[definition] + abs(point["x"] - 0.3)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_each_definition_is_tried_then_the_budget_goes_to_the_one_that_pays(strategy):
    _, past = played(several(LINE, LINE, LINE, strategy=strategy), offset(a=2, b=0, c=1), 40)
    assert [job.definition for job in past.jobs[: 3 * INITIAL]] == ["a", "b", "c"] * INITIAL
    assert shares(past)["b"] >= 20
    assert past.incumbent.definition == "b"


def test_a_definition_whose_training_jobs_all_fail_gets_few():
    _, past = played(several(LINE, LINE), lambda name, point: None if name == "a" else point["x"], 30)
    assert shares(past)["a"] <= INITIAL + 3


def test_definitions_that_give_the_same_share_about_evenly():
    _, past = played(several(LINE, LINE, strategy="Random"), offset(a=0, b=0), 60)
    assert min(shares(past).values()) >= 15


def test_a_small_budget_leaves_half_of_it_to_what_was_learnt():
    _, past = played(several(LINE, LINE, LINE, max_training_jobs=12), offset(a=0, b=5, c=5), 12)
    assert [job.definition for job in past.jobs[:6]] == ["a", "b", "c"] * 2
    assert shares(past)["a"] >= 7


def test_objectives_that_cant_be_compared_get_even_shares():
    request = several(LINE, {**LINE, "goal": "Maximize"}, LINE)
    _, past = played(request, offset(a=0, b=9, c=9), 30)
    assert shares(past) == {"a": 10, "b": 10, "c": 10}
    assert past.incumbent.definition == "a"
    assert all(job.definition == "a" for job, _ in past.best_curve() if job.objective == past.incumbent.objective)


def test_a_finite_definition_that_is_used_up_leaves_the_rest_to_the_others():
    few = {"space": {"k": Categorical([*"pqr"])}}
    strategy, past = played(several(few, few, strategy="Grid"), lambda name, point: 1.0, 10)
    assert shares(past) == {"a": 3, "b": 3}
    assert strategy.ask(past) is None
    judged = {each.criterion: each for each in policy_for(past.spec).verdicts(past)}
    assert judged["SearchSpaceExhausted"].outlook is Outlook.DRAIN


def test_the_history_of_a_definition_is_as_if_the_others_were_not():
    _, past = played(several(LINE, LINE, strategy="Random"), offset(a=0, b=1), 14)
    for name in ("a", "b"):
        own = past.of(name)
        assert [job.number for job in own.jobs] == [job.number for job in past.jobs if job.definition == name]
        points, values = own.observations()
        assert points.shape == (own.ended, 1)
        assert list(values) == [job.objective for job in past.finished if job.definition == name]
    assert past.ended == sum(past.of(name).ended for name in ("a", "b"))


def test_suggestions_for_free_slots_know_of_each_other_and_change_nothing():
    _, past = played(several(LINE, LINE, strategy="Bayesian", max_parallel=4), offset(a=0, b=1), 11)
    before = shares(past)
    decision = policy_for(past.spec).decide(past, policy_for(past.spec).verdict(past))
    assert len({(each.definition, each.hyperparameters["x"]) for each in decision.launches}) == 4
    assert shares(past) == before
    fresh = past.upto(len(past.facts))
    assert policy_for(past.spec).decide(fresh, policy_for(past.spec).verdict(fresh)).launches == decision.launches


def test_hyperband_stops_training_jobs_by_the_others_of_their_definition():
    request = several(LINE, LINE, strategy="Hyperband", max_resource=9)
    past = History(read_spec(request), EPOCH)
    strategy = strategy_for(past.spec)
    stopped = []
    order = [("a", 2.0 + i) for i in range(11)] + [("b", 1.0), ("a", 1.0), ("b", 99.0), ("a", 99.0)]
    for number, (name, value) in enumerate(order, 1):
        point = {"x": number / 100}
        past.record(Launched(at=EPOCH, number=number, name=f"t{number}", hyperparameters=point, definition=name))
        past.record(Reported(at=EPOCH, number=number, metric="objective", step=1, value=value))
        stopped += [stop.number for stop in strategy.stops(past)]
    assert stopped == [15], "13 is the best of its definition, 14 has hardly another to be compared with"
    past.record(TuningJobStopAsked(at=EPOCH))
    assert list(strategy.stops(past)) == []


def test_replaying_a_job_with_several_definitions_finds_its_own_verdict_again():
    _, past = played(several(LINE, LINE, max_training_jobs=9), offset(a=0, b=1), 9)
    again = replayed(past)
    assert again.verdict.criterion == "MaxNumberOfTrainingJobs"
    assert shares(again.history) == shares(past)


def test_convergence_is_judged_on_the_results_of_all():
    from alfine import ConvergenceDetected

    request = several(LINE, LINE, max_training_jobs=60, criteria=[ConvergenceDetected()])
    _, past = played(request, lambda name, point: 1.0 if name == "a" else 2.0 + point["x"], 40)
    verdict = ConvergenceDetected().check(past)
    assert verdict.outlook is Outlook.STOP, verdict.sentence
    _, past = played(request, lambda name, point: 1.0, 8)
    assert "so far: 8" in ConvergenceDetected().check(past).sentence


@pytest.mark.parametrize("seed", range(3))
def test_a_definition_that_begins_badly_and_gets_far_is_given_the_training_jobs_for_it(seed):
    flat, deep = LINE, {"space": {f"x{j}": Continuous(0, 1) for j in range(3)}}

    def objective(name, point):
        return 1.0 + 0.02 * point["x"] if name == "a" else 12.0 * sum((each - 0.85) ** 2 for each in point.values())

    _, past = played(several(flat, deep, seed=seed), objective, 40)
    assert past.incumbent.definition == "b"
    assert past.incumbent.objective < 0.2
    assert shares(past)["b"] >= 25


def test_definitions_with_known_configurations_to_begin_with_are_compared_all_the_same():
    job = several(LINE, {"space": {"y": Continuous(0, 1)}}, start_with=[{"x": 0.9}, {"y": 0.4}])
    _, past = played(job, lambda name, point: point["x"] + 1 if name == "a" else point["y"], 30)
    assert shares(past)["b"] >= 20
