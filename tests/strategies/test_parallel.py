"""Many training jobs at once, which end in any order: nothing is tried twice, nothing of a finite space is left out."""

import itertools
import random
import threading

import pytest

import alfine
from alfine import Categorical, Continuous, Integer
from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.protocols import Suggestion
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook
from alfine.jobs.policy_for import policy_for
from alfine.strategies import STRATEGIES, strategy_for
from tests.building import EPOCH, history, one_job, several

FINITE = {
    "a": Categorical([*"xyz"]),
    "b": Categorical([*"12345"]),
    "c": Categorical(["on", "off"], requires={"a": ["x", "y"]}),
}
FORBIDDEN = "a = x and b = 5 and c = on"
SIZE = 2 * 5 * 2 + 5 - 1
MIXED = {
    "rate": Continuous(1e-4, 1, scaling="Logarithmic"),
    "layers": Integer(1, 3),
    "width": Integer(8, 512, requires="layers >= 2"),
    "kind": Categorical([*"abc"]),
}


def words_of(name):
    return {"strategy": name, **({"max_resource": 9} if name == "Hyperband" else {})}


def launched(past, suggestion):
    number = past.launches + 1
    chosen = {"hyperparameters": suggestion.hyperparameters, "definition": suggestion.definition}
    past.record(Launched(at=past.now, number=number, name=f"job-{number}", **chosen))


def key(job):
    return job.definition, tuple(sorted(job.hyperparameters.items()))


def play(past, workers, seed):
    """Until nothing is left to try and nothing runs: a free worker asks at once, and any running training job may end next."""
    strategy, rng = strategy_for(past.spec), random.Random(seed)
    while True:
        while len(past.running) < workers:
            suggestion = strategy.ask(past)
            if suggestion is None:
                break
            launched(past, suggestion)
        if not past.running:
            return
        number, failed = rng.choice(sorted(past.running)), rng.random() < 0.2
        objective = None if failed else rng.random()
        past.record(Ended(at=past.now, number=number, status="Failed" if failed else "Completed", objective=objective))


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("workers", [1, 4, 1000])
def test_a_finite_space_is_exhausted_exactly_once_however_many_run_at_once(name, workers):
    past = history(space=FINITE, forbid=FORBIDDEN, seed=workers, **words_of(name))
    play(past, workers, seed=workers)
    assert past.launches == past.spec.size == SIZE
    assert len({key(job) for job in past.jobs}) == SIZE


@pytest.mark.parametrize("name", ["Bayesian", "Random", "Grid"])
def test_several_finite_definitions_are_each_exhausted_exactly_once(name):
    of_both = [
        {"space": {"a": Categorical([*"xyz"]), "b": Categorical([*"12345"])}},
        {"space": {"k": Categorical([*"pqr"])}},
    ]
    past = History(read_spec(several(*of_both, strategy=name)), EPOCH)
    play(past, 7, seed=3)
    assert past.launches == len({key(job) for job in past.jobs}) == past.spec.size == 15 + 3


@pytest.mark.parametrize("name", ["Bayesian", "Random", "Hyperband"])
@pytest.mark.parametrize("told", [0, 12])
def test_with_a_thousand_running_what_is_tried_next_is_none_of_them(name, told):
    past = history(space=MIXED, **words_of(name))
    for number in range(told):
        point = past.spec.space.sample(past.rng(5))
        for fact in one_job(past, point["rate"] + number, hyperparameters=point):
            past.record(fact)
    strategy = strategy_for(past.spec)
    for _ in range(990):
        launched(past, Suggestion(hyperparameters=past.spec.space.sample(past.rng(6))))
    before = {key(job) for job in past.jobs}
    for _ in range(10):
        suggestion = strategy.ask(past)
        past.spec.space.check(suggestion.hyperparameters)
        launched(past, suggestion)
    assert len(past.running) == 1000
    assert len({key(job) for job in past.jobs[-10:]} - before) == 10


def test_all_free_slots_are_filled_in_one_decision_and_the_end_says_why():
    past = history(space=FINITE, forbid=FORBIDDEN, strategy="Bayesian", max_parallel=1000)
    policy = policy_for(past.spec)
    decision = policy.decide(past, policy.verdict(past))
    assert len(decision.launches) == SIZE
    for suggestion in decision.launches:
        launched(past, suggestion)
    again = policy.decide(past, policy.verdict(past))
    assert again.launches == ()
    assert again.verdict.outlook is Outlook.DRAIN
    assert again.verdict.sentence == f"{SIZE} of the {SIZE} configurations of the search space have been launched."


@pytest.mark.parametrize("name", ["Bayesian", "Random", "Grid"])
def test_a_job_with_many_workers_ends_completed_once_its_space_is_used_up(name, tmp_path):
    together, begun = threading.Barrier(8), itertools.count()

    def objective(hyperparameters):
        if next(begun) < together.parties:
            together.wait(30)  # passes only if so many run at once
        return float(len(str(hyperparameters)))

    words = {"space": FINITE, "forbid": FORBIDDEN, "strategy": name, "max_parallel": 16}
    job = alfine.tune(objective, **words, home=tmp_path, progress=False)
    assert (job.status, job.verdict.criterion) == ("Completed", "SearchSpaceExhausted")
    assert len(job.training_jobs) == len({key(each) for each in job.training_jobs}) == SIZE
    assert {each.status for each in job.training_jobs} == {"Completed"}
