import math
import pickle
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest

import alfine
from alfine import Continuous, Integer, InvalidSpec, Tuner
from alfine.jobs.policy_for import policy_for
from tests.building import SPACE, at

QUADRATIC = {"x": alfine.Continuous(-1, 1), "y": alfine.Continuous(-1, 1)}


def f(hyperparameters):
    return (hyperparameters["x"] - 0.3) ** 2 + (hyperparameters["y"] + 0.2) ** 2


def test_ask_and_tell_find_a_minimum_and_say_when_to_stop():
    tuner = alfine.Tuner(QUADRATIC, criteria=[alfine.MaxNumberOfTrainingJobs(30)], seed=0)
    while training_job := tuner.ask():
        tuner.tell(training_job, f(training_job.hyperparameters))
    assert len(tuner.training_jobs) == 30
    assert tuner.best.objective < 0.01
    assert tuner.verdict.outlook == "DRAIN"
    assert tuner.verdict.criterion == "MaxNumberOfTrainingJobs"


def test_hyperparameters_have_native_types():
    space = {**SPACE, "layers": alfine.Categorical([1, 2]), "bias": alfine.Categorical([True, False, None])}
    values = alfine.Tuner(space, strategy="Random").ask().hyperparameters
    assert type(values["eta"]) is float
    assert type(values["depth"]) is int
    assert type(values["layers"]) is int
    assert values["bias"] in (True, False, None)


def test_numbers_count_from_one():
    tuner = alfine.Tuner(SPACE, strategy="Random")
    assert [tuner.ask().number for _ in range(3)] == [1, 2, 3]


def test_a_failure_is_told_with_its_reason():
    tuner = alfine.Tuner(SPACE)
    job = tuner.ask()
    tuner.tell(job, failed="out of memory")
    assert (job.status, job.failure_reason, job.objective) == ("Failed", "out of memory", None)
    assert tuner.best is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_objective_that_is_no_number_is_a_failure(value, caplog):
    tuner = alfine.Tuner(SPACE)
    job = tuner.ask()
    tuner.report(job, 1, value)
    assert job.reports == []
    assert f"training job 1: the value {value} isn't a finite number and doesn't count" in caplog.text
    tuner.tell(job, value)
    assert job.status == "Failed"
    assert "isn't a finite number" in job.failure_reason
    assert f"training job 1 counts as failed: the objective {value} isn't a finite number" in caplog.text


@pytest.mark.parametrize("call", ["tell", "report", "observe"])
def test_what_is_no_number_at_all_is_refused_and_changes_nothing(call):
    tuner = alfine.Tuner(SPACE)
    job = tuner.ask()
    words = {"tell": (job,), "report": (job, 1), "observe": (job.hyperparameters,)}[call]
    with pytest.raises(InvalidSpec, match=r"must be a number, not 'low' \(str\)"):
        getattr(tuner, call)(*words, "low")
    with pytest.raises(InvalidSpec, match=r"must be a number, not 1000.*\(int\)"):
        getattr(tuner, call)(*words, 10**400)
    for truth in (True, np.bool_(1), np.array([True])):
        with pytest.raises(InvalidSpec, match=r"must be a number, not .*True.* Write float"):
            getattr(tuner, call)(*words, truth)
    assert (len(tuner.training_jobs), job.status, job.reports) == (1, "InProgress", [])


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (
            lambda hyperparameters: math.nan,
            "The function has no objective. It reported 1 value that isn't a finite number: nan.",
        ),
        (lambda hyperparameters: None, "The function has no objective. It must return one, or report one on its way."),
    ],
)
def test_a_function_without_an_objective_is_told_what_it_lacks(tmp_path, objective, said):
    job = alfine.tune(objective, QUADRATIC, max_training_jobs=1, home=tmp_path, progress=False)
    assert job.training_jobs[0].failure_reason == said
    assert said in job.failure_reason


def test_results_from_elsewhere_count():
    tuner = alfine.Tuner(SPACE, criteria=[alfine.TargetObjectiveMetricValue(0.4)])
    tuner.observe({"eta": 0.1, "depth": 3, "booster": "dart"}, 0.42, seconds=3.1)
    assert tuner.best.objective == 0.42
    assert tuner.best.seconds == pytest.approx(3.1)
    assert tuner.verdict.outlook == alfine.Outlook.CONTINUE
    tuner.observe({"eta": 0.2, "depth": 3, "booster": "dart"}, failed="no idea")
    verdict = tuner.observe({"eta": 0.3, "depth": 3, "booster": "dart"}, 0.4)
    assert verdict.outlook == tuner.verdict.outlook == "STOP"


def test_what_lies_outside_the_space_is_refused_when_observed():
    with pytest.raises(alfine.InvalidSpec, match="eta: 7 lies outside"):
        alfine.Tuner(SPACE).observe({"eta": 7, "depth": 3, "booster": "dart"}, 0.42)


def test_a_weak_training_job_is_told_to_stop_and_keeps_its_last_value():
    tuner = alfine.Tuner(SPACE, strategy="Random", early_stopping="Auto")
    for height in (1.5, 1.4, 1.1, 1.6, 1.3, 1.2, 1.0, 1.7, 1.8, 1.9):
        job = tuner.ask()
        for step in (1, 2, 3, 4, 5):
            tuner.report(job, step, height / step)
        tuner.tell(job, height / 5)
    job = tuner.ask()
    assert not tuner.report(job, 1, 1.1)
    assert any(tuner.report(job, step, 4.0) for step in (2, 3))
    tuner.tell(job, 4.0)
    assert (job.status, job.objective) == ("Stopped", 4.0)
    assert "its chance of ending better than 0.2" in job.stop_reason


def test_hyperband_stops_inside_running_training_jobs():
    tuner = alfine.Tuner(SPACE, strategy="Hyperband", min_resource=1, max_resource=27, seed=3)
    for _ in range(5):
        job, way = tuner.ask(), []
        for step in range(1, 28):
            way.append(tuner.report(job, step, 1.0 + job.number + 1.0 / step))
            if way[-1]:
                break
        tuner.tell(job, 1.0 + job.number + 1.0 / step)
    assert way.index(True) < 20
    assert [job.objective_status for job in tuner.training_jobs] == ["Succeeded"] * 5


def test_time_alone_can_end_it():
    now = [at(0)]
    tuner = alfine.Tuner(SPACE, criteria=[alfine.MaxRuntimeInSeconds(60)], clock=lambda: now[0])
    assert tuner.verdict.outlook == "CONTINUE"
    now[0] += timedelta(seconds=60)
    assert tuner.verdict.outlook == "STOP"
    assert tuner.ask() is None


def test_same_seed_and_same_calls_same_suggestions():
    def run(seed):
        tuner = alfine.Tuner(QUADRATIC, seed=seed)
        for _ in range(12):
            job = tuner.ask()
            tuner.tell(job, f(job.hyperparameters))
        return [job.hyperparameters for job in tuner.training_jobs]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_every_criterion_answers_in_order_with_its_name():
    tuner = alfine.Tuner(SPACE, criteria=[alfine.BestObjectiveNotImproving(5), alfine.MaxNumberOfTrainingJobs(9)])
    assert [v.criterion for v in tuner.verdicts] == ["BestObjectiveNotImproving", "MaxNumberOfTrainingJobs"]


@pytest.mark.parametrize("criteria", [[], [alfine.MaxNumberOfTrainingJobs(9)], ["BestObjectiveNotImproving 50"]])
@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_its_limit_on_training_jobs_ends_it(strategy, criteria):
    tuner = alfine.Tuner(QUADRATIC, max_training_jobs=9, criteria=criteria, strategy=strategy)
    tuner.observe({"x": 0.0, "y": 0.0}, 3.0)
    while (job := tuner.ask()) and job.number < 20:
        tuner.tell(job, f(job.hyperparameters))
    assert tuner.history.launches == 9
    assert tuner.verdict.criterion == "MaxNumberOfTrainingJobs"
    assert [v.criterion for v in tuner.verdicts].count("MaxNumberOfTrainingJobs") == 1


def test_convergence_reports_its_numbers():
    tuner = alfine.Tuner(QUADRATIC, criteria=[alfine.ConvergenceDetected(epsilon=0.01, delta=0.05)])
    for _ in range(12):
        job = tuner.ask()
        tuner.tell(job, f(job.hyperparameters))
    evidence = tuner.verdicts[0].evidence
    assert 0 <= evidence["probability_of_improvement"] <= 1
    assert evidence["epsilon"] > 0
    assert evidence["expected_residual_improvement"] >= 0


def test_a_recorded_tuning_replays_through_other_criteria():
    tuner = alfine.Tuner(SPACE, strategy="Random")
    for value in (3.0, 1.0, 1.0, 1.0, 1.0, 0.5):
        tuner.tell(tuner.ask(), value)
    found = tuner.replay([alfine.BestObjectiveNotImproving(3)])
    assert (found.training_jobs, found.missed) == (5, 0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda tuner, job: tuner.tell(job), "give either the final objective or failed="),
        (lambda tuner, job: tuner.tell(job, 1.0, failed="x"), "give either the final objective or failed="),
        (lambda tuner, job: tuner.tell(9, 1.0), "There is no training job 9"),
        (lambda tuner, job: tuner.tell("1", 1.0), "There is no training job '1'"),
        (lambda tuner, job: (tuner.tell(job, 1.0), tuner.tell(job, 1.0)), "has already ended"),
    ],
)
def test_a_senseless_call_is_refused(call, words):
    tuner = alfine.Tuner(SPACE)
    with pytest.raises(alfine.AlfineError, match=words):
        call(tuner, tuner.ask())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"space": {}}, "at least one hyperparameter needs a range"),
        ({"space": {"x": (0, 1)}}, "isn't a range. Use alfine.Continuous"),
        ({"goal": "min"}, "'min' isn't one of Maximize, Minimize"),
        ({"strategy": "bayes"}, "'bayes' isn't one of Bayesian"),
        ({"strategy": "Hyperband"}, "max_resource: is missing: how many values"),
    ],
)
def test_a_tuner_that_cannot_be_is_refused_with_the_remedy(words, message):
    with pytest.raises(alfine.InvalidSpec, match=message):
        alfine.Tuner(**{"space": SPACE, **words})


def test_numpys_numbers_whole_floats_and_rounding_at_a_ranges_end_are_taken():
    tuner = alfine.Tuner(
        {
            "x": alfine.Continuous(0.1, 0.3),
            "n": alfine.Integer(1, 1e1),
            "k": alfine.Categorical({8: "a", 16: "b"}.keys()),
        }
    )
    tuner.observe({"x": 0.1 + 0.2, "n": np.int64(3), "k": np.int64(16)}, np.float32(0.5))
    assert (tuner.best.objective, tuner.best.number) == (0.5, 1)
    tuner.ask()
    tuner.tell(np.int64(2), 0.25)
    assert tuner.best.number == 2


def test_convergence_names_its_numbers_before_it_can_judge():
    evidence = alfine.Tuner(SPACE, criteria=[alfine.ConvergenceDetected()]).verdict.evidence
    assert {"probability_of_improvement", "epsilon", "expected_residual_improvement"} <= set(evidence)


def test_hyperband_takes_early_stopping_auto_as_its_own():
    alfine.Tuner(SPACE, strategy="Hyperband", max_resource=27, early_stopping="Auto")


def test_it_forecasts_its_own_end():
    tuner = alfine.Tuner(
        SPACE, goal="Minimize", criteria=[alfine.MaxNumberOfTrainingJobs(30)], strategy="Random", seed=1
    )
    for _ in range(12):
        suggestion = tuner.ask()
        tuner.tell(suggestion, suggestion.hyperparameters["eta"])
    found = tuner.forecast()
    assert found.training_jobs == (18, 18, 18)
    assert found.chances == {"MaxNumberOfTrainingJobs": 1.0}
    assert found.gain is not None


def test_the_first_suggestion_loads_nothing_that_it_does_not_need():
    code = "import sys, alfine; alfine.Tuner({'x': alfine.Continuous(0, 1)}).ask(); print(*(m for m in sys.modules if m in sys.argv))"
    heavy = ["scipy", "sqlalchemy", "regex", "alfine.runners", "alfine.store.store", "alfine.store.config"]
    run = subprocess.run([sys.executable, "-c", code, *heavy], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ({"space": {"n": Integer(1, 3), "x": Continuous(0, 1, requires="m > 1")}}, "space.x"),
        ({"space": {"x": Continuous(0, 1, scaling="Logarithmic")}}, "space.x"),
        ({"space": {"x": Continuous(0, 1, scaling="log")}}, "space.x.scaling"),
        ({"space": {"n": Integer(1, 3)}, "forbid": "n > 0"}, "forbid"),
        ({"space": {"n": Integer(1, 3)}, "forbid": "n > 2", "start_with": {"n": 3}}, "start_with"),
        ({"space": {"n": Integer(1, 3)}, "start_with": {"n": 4}}, "start_with.n"),
        ({"space": {"n": Integer(1, 3)}, "goal": "Best"}, "goal"),
        ({"space": {"n": Integer(1, 3)}, "max_training_jobs": 4}, "space"),
    ],
)
def test_faults_stand_at_the_arguments_that_have_them(words, path, tmp_path):
    space = words["space"]
    others = {key: value for key, value in words.items() if key != "space"}
    with pytest.raises(InvalidSpec) as of_tuner:
        Tuner(space, **others)
    with pytest.raises(InvalidSpec) as of_tune:
        alfine.tune(lambda hyperparameters: 0.0, space, home=tmp_path, progress=False, **others)
    assert [fault.path for fault in of_tuner.value.faults] == [fault.path for fault in of_tune.value.faults] == [path]


def test_an_argument_that_there_is_none_of_is_told_with_what_was_meant(tmp_path):
    with pytest.raises(InvalidSpec, match="max_trials: isn't known. Did you mean max_training_jobs?"):
        alfine.tune(lambda hyperparameters: 0.0, SPACE, home=tmp_path, max_trials=3)


def test_a_fault_of_a_combination_names_it_once():
    with pytest.raises(InvalidSpec) as error:
        Tuner(SPACE, forbid={"eta": 0.5})
    assert str(error.value).count("«eta = 0.5»") == 1


@pytest.mark.parametrize("strategy", ["Bayesian", "Hyperband"])
@pytest.mark.parametrize(
    "objective",
    [
        lambda n, x: sys.float_info.max * (-1) ** n,
        lambda n, x: sys.float_info.max * (x - 0.5),
        lambda n, x: 5e-324 * n,
        lambda n, x: 1e300 if n % 3 else x,
        lambda n, x: math.inf if n % 3 else x,
        lambda n, x: 0.0,
    ],
    ids=["two ends", "up to the largest", "down to the smallest", "mostly absurd", "mostly infinite", "constant"],
)
def test_no_number_stops_the_search_nor_what_is_said_of_it(strategy, objective):
    words = {"max_resource": 3} if strategy == "Hyperband" else {"criteria": [alfine.MaxNumberOfTrainingJobs(25)]}
    tuner = alfine.Tuner({"x": Continuous(0, 1), "n": Integer(1, 9)}, strategy=strategy, goal="Maximize", **words)
    while len(tuner.training_jobs) < 25:
        job = tuner.ask()
        value = objective(job.number, job.hyperparameters["x"])
        for step in (1, 2, 3):
            if tuner.report(job, step, value):
                break
        tuner.tell(job, value)
        if job.number in (12, 20):
            gain = tuner.forecast().gain
            assert gain is None or all(map(math.isfinite, gain))
    assert len({tuple(job.hyperparameters.values()) for job in tuner.training_jobs}) == 25
    assert tuner.best_estimate is None or math.isfinite(tuner.best_estimate.value)


# -- criteria of a Tuner, one by one and beside others ---------------------------------------------------------------------


def told(tuner, values):
    """The tuner, told these objectives one after the other; None is a failure."""
    for value in values:
        job = tuner.ask()
        tuner.tell(job, value) if value is not None else tuner.tell(job, failed="it broke")
    return tuner


@pytest.mark.parametrize(("word", "criterion"), [(4, 8), (8, 4)])
def test_of_two_limits_on_the_number_the_lower_one_holds(word, criterion, tmp_path):
    words = {"max_training_jobs": word, "criteria": [alfine.MaxNumberOfTrainingJobs(criterion)], "strategy": "Random"}
    tuner = Tuner(QUADRATIC, **words)
    while (job := tuner.ask()) and job.number < 20:
        tuner.tell(job, f(job.hyperparameters))
    assert tuner.history.launches == 4
    assert len(alfine.tune(f, QUADRATIC, home=tmp_path, progress=False, **words).training_jobs) == 4


def test_several_criteria_of_one_kind_all_count(tmp_path):
    criteria = [alfine.BestObjectiveNotImproving(3), alfine.BestObjectiveNotImproving(9, strict=True)]
    job = alfine.tune(lambda _: 1.0, QUADRATIC, criteria=criteria, strategy="Random", home=tmp_path, progress=False)
    assert (len(job.training_jobs), job.verdict.evidence["limit"]) == (4, 3)
    assert len(told(Tuner(QUADRATIC), [1.0] * 12).replay(criteria[::-1]).history.jobs) == 4
    alfine.change(job.name, criteria=[alfine.Deadline(9e5, active=True), alfine.Deadline(9e6)], home=tmp_path)
    with alfine.Home(tmp_path) as home:
        judged = [verdict.criterion for verdict in policy_for(home.store.history(job.name).spec).verdicts(job.history)]
    assert judged.count("Deadline") == 2


def test_criteria_in_money_need_a_price_and_count_by_it():
    for criterion in (alfine.MaxCost(5), alfine.AllOf(alfine.MarginalValue(1), alfine.MaxCost(5))):
        with pytest.raises(InvalidSpec, match="needs the price of an instance of type local: price_per_hour.$"):
            Tuner(QUADRATIC, criteria=criterion)
    now = [at(0)]
    tuner = Tuner(QUADRATIC, criteria=alfine.MaxCost(5), price_per_hour=2, clock=lambda: now[0])
    while (job := tuner.ask()) and job.number < 20:
        now[0] += timedelta(hours=1)
        tuner.tell(job, f(job.hyperparameters))
    assert (tuner.history.launches, tuner.verdict.evidence["spent"]) == (2, 4)


def test_what_runs_is_told_to_stop_once_a_criterion_says_so():
    now = [at(0)]
    criteria = [alfine.TargetObjectiveMetricValue(0.5), alfine.MaxRuntimeInSeconds(60)]
    tuner = Tuner(QUADRATIC, criteria=criteria, clock=lambda: now[0], max_parallel=2)
    first, second = tuner.ask(), tuner.ask()
    assert not tuner.report(first, 1, 3.0)
    tuner.tell(second, 0.4)
    assert tuner.report(first, 2, 2.0)
    tuner.tell(first, 2.0)
    assert (first.status, first.objective) == ("Stopped", 2.0)
    assert "has reached the target" in first.stop_reason
    late = Tuner(QUADRATIC, criteria=criteria, clock=lambda: now[0])
    job = late.ask()
    now[0] += timedelta(seconds=61)
    assert late.report(job, 1, 3.0)


def test_what_runs_at_the_last_launch_is_let_finish():
    tuner = Tuner(QUADRATIC, max_training_jobs=1)
    job = tuner.ask()
    assert not tuner.report(job, 1, 3.0)


def test_what_runs_again_ends_at_hyperbands_max_resource_too_and_not_before():
    words = {"strategy": "Hyperband", "max_resource": 4, "repeats": {"best": 2, "times": 1}, "max_training_jobs": 9}
    tuner = Tuner(QUADRATIC, **words)
    while job := tuner.ask():
        value = f(job.hyperparameters)
        for step in range(9):
            if tuner.report(job, step, value + 1 / (step + 1)):
                break
        tuner.tell(job, value)
    assert len(tuner.history.repeated) == 2
    assert [len(job.reports) for job in tuner.training_jobs if job.repeats] == [4, 4]


class ThreeEnded:
    """A criterion that no request can say."""

    def check(self, history):
        outlook = alfine.Outlook.STOP if history.ended >= 3 else alfine.Outlook.CONTINUE
        return alfine.Verdict(outlook=outlook, criterion="ThreeEnded", sentence=f"{history.ended} have ended.")


def test_a_replay_knows_the_criteria_that_a_tuner_takes_and_no_others(tmp_path):
    tuner = told(Tuner(QUADRATIC, strategy="Random"), [None] * 6 + [1.0] * 800)
    assert tuner.replay(alfine.BestObjectiveNotImproving(795)).training_jobs == 802
    assert tuner.replay(ThreeEnded()).training_jobs == 3
    assert tuner.replay(alfine.AllOf(ThreeEnded(), alfine.BestObjectiveNotImproving(3))).training_jobs == 10
    with pytest.raises(InvalidSpec, match="ThreeEnded object at .* can't be kept with a job, since"):
        alfine.tune(f, QUADRATIC, criteria=[alfine.AllOf(ThreeEnded())], home=tmp_path)
    job = alfine.tune(f, QUADRATIC, max_training_jobs=5, home=tmp_path, progress=False)
    assert job.replay(alfine.Steady(ThreeEnded(), times=2)).training_jobs == 4
    with pytest.raises(InvalidSpec, match="can't be kept"):
        alfine.change(job.name, criteria=ThreeEnded(), home=tmp_path)
    own = told(Tuner(QUADRATIC, criteria=[ThreeEnded()]), [1.0] * 3)
    assert own.replay(()).verdict.criterion == own.verdict.criterion == "ThreeEnded"


def test_criteria_as_a_job_file_has_them_are_refused_with_their_settings():
    with pytest.raises(InvalidSpec, match="{'ConvergenceDetected': {'delta': 0.2}} isn't a completion criterion"):
        Tuner(QUADRATIC, criteria={"ConvergenceDetected": {"delta": 0.2}})


def test_a_grid_is_replayed_under_limits_that_no_grid_may_have(tmp_path):
    space = {"a": alfine.Categorical([3, 1, 2]), "b": alfine.Categorical([True, False])}
    words = {"strategy": "Grid", "repeats": {"best": 1, "times": 2}}
    tuner = Tuner(space, **words)
    while job := tuner.ask():
        tuner.tell(job, job.hyperparameters["a"])
    ran = alfine.tune(lambda values: float(values["a"]), space, home=tmp_path, progress=False, **words)
    for recorded in (tuner, ran):
        assert recorded.replay(alfine.MaxNumberOfTrainingJobs(4)).training_jobs == 2  # two more are kept for repeats
    assert tuner.replay("TargetObjectiveMetricValue 1").training_jobs == 3


def test_a_tuner_without_a_limit_is_not_said_to_have_a_budget_of_one():
    tuner = Tuner({"a": alfine.Integer(1, 3)}, strategy="Random")
    while job := tuner.ask():
        tuner.tell(job, 1.0)
    (remark,) = tuner.space_remarks
    assert (
        "3 of only 3 combinations have been launched: the space will be used up before the budget." in remark.sentence
    )


@pytest.mark.parametrize(
    "words", [{}, {"strategy": "Hyperband", "max_resource": 3}, {"repeats": 1, "max_training_jobs": 16}]
)
def test_a_pickled_tuner_goes_on_as_it_was(words):
    elder = told(Tuner(QUADRATIC, strategy="Random", seed=5), [3.0, 2.0, 1.0])
    tuner = Tuner(QUADRATIC, warm_start=elder, criteria=["Shadow(ConvergenceDetected)"], **words)
    for _ in range(12):
        job = tuner.ask()
        tuner.report(job, 1, 9.0)
        tuner.tell(job, f(job.hyperparameters))
    assert tuner.forecast()
    again = pickle.loads(pickle.dumps(tuner))
    assert [told(each, [2.0] * 4).training_jobs for each in (tuner, again)][1][-1].number == 16
    assert [job.hyperparameters for job in again.training_jobs] == [job.hyperparameters for job in tuner.training_jobs]


def test_convergence_near_zero_gives_no_share_of_the_best():
    tuner = Tuner(QUADRATIC, criteria=alfine.ConvergenceDetected(), strategy="Random")
    told(tuner, [1.0 + n for n in range(12)])
    sentence = told(tuner, [1e-9]).verdict.sentence
    assert "improve the best by more than" in sentence
    assert " %)" not in sentence


@pytest.mark.parametrize("seed", range(4))
def test_a_warm_start_begins_where_its_parents_point_to(seed):
    elder = Tuner(QUADRATIC, strategy="Random", seed=50 + seed)
    for _ in range(20):
        job = elder.ask()
        elder.tell(job, f(job.hyperparameters))
    first = Tuner(QUADRATIC, warm_start=elder, seed=seed).ask()
    assert f(first.hyperparameters) < 1.1 * elder.best.objective
