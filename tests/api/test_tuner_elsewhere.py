"""A Tuner that judges, and searches beside, training jobs that run elsewhere."""

import pickle
import threading
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alfine
from alfine import Categorical, Continuous, Integer, InvalidSpec, Tuner
from tests.building import SPACE, at

LINE = {"x": Continuous(0, 1)}
POINT = {"eta": 0.1, "depth": 3, "booster": "dart"}


def facts(tuner):
    return [type(fact).__name__ for fact in tuner.history.facts]


def test_a_curve_an_instant_and_a_stop_from_elsewhere_are_facts():
    tuner = Tuner(SPACE, clock=lambda: at(0))
    tuner.observe(POINT, curve={3: 0.5, 1: 0.9}, stopped=True, seconds=5, at=at(100))
    (job,) = tuner.training_jobs
    assert (job.status, job.objective, job.curve("objective")) == ("Stopped", 0.5, [0.9, 0.5])
    assert (job.ended_at, job.started_at) == (at(100), at(95))
    assert facts(tuner) == ["Launched", "Started", "Reported", "Reported", "Ended"]
    assert all(isinstance(fact, getattr(alfine, type(fact).__name__)) for fact in tuner.history.facts)
    tuner.observe(POINT, 0.4, curve=[0.6, 0.45])
    assert tuner.best.curve("objective") == [0.6, 0.45]


def test_a_failure_may_have_an_unknown_configuration():
    tuner = Tuner({"n": Integer(1, 3), "c": Categorical(["ab"])}, criteria=["BestObjectiveNotImproving 3"])
    tuner.observe({}, failed="died before it chose")
    tuner.observe({"n": 1, "c": "ab"}, 2.0)
    assert [job.status for job in tuner.training_jobs] == ["Failed", "Completed"]
    assert tuner.ask().hyperparameters["n"] in (2, 3)
    with pytest.raises(InvalidSpec, match="n: this hyperparameter is missing"):
        tuner.observe({}, 1.0)


def test_values_beside_changed_ranges_are_clipped_when_asked():
    tuner = Tuner({"x": Continuous(0, 1, step=0.25), "n": Integer(1, 9), "c": Categorical(["a"])})
    with pytest.raises(InvalidSpec, match="x: 1.3 lies outside 0 to 1 in steps of 0.25"):
        tuner.observe({"x": 1.3, "n": 12, "c": "a"}, 1.0)
    tuner.observe({"x": 1.3, "n": 12, "c": "a"}, 1.0, clip=True)
    assert tuner.best.hyperparameters == {"x": 1.0, "n": 9, "c": "a"}
    with pytest.raises(InvalidSpec, match="c: 'b' lies outside 'a'"):
        tuner.observe({"x": 0, "n": 1, "c": "b"}, 1.0, clip=True)


@pytest.mark.parametrize("strategy", ["Bayesian", "Random", "Grid"])
def test_a_space_that_is_not_exhaustive_never_runs_out(strategy):
    space = {"c": Categorical([1, "1", None])}
    tuner = Tuner(space, strategy=strategy, exhaustive=False, max_training_jobs=9)
    while job := tuner.ask():
        tuner.tell(job, 1.0 if job.hyperparameters["c"] == 1 else 2.0)
    assert len(tuner.training_jobs) == 9
    assert {repr(job.hyperparameters["c"]) for job in tuner.training_jobs[:3]} == {"1", "'1'", "None"}
    assert tuner.verdict.criterion == "MaxNumberOfTrainingJobs"
    with pytest.raises(InvalidSpec, match="max_training_jobs"):
        Tuner(space, exhaustive=False, max_training_jobs=0)


@given(stream=st.integers(0, 10**6), seen=st.integers(0, 12))
@settings(max_examples=10)
def test_a_suggestion_records_nothing_and_is_what_ask_launches(stream, seen):
    tuner = Tuner(SPACE, seed=3)
    for value in range(seen):
        tuner.tell(tuner.ask(), float(value))
    before = len(tuner.history.facts)
    suggested = tuner.suggest(stream=stream)
    assert len(tuner.history.facts) == before
    assert tuner.ask(stream=stream).hyperparameters == suggested


def test_processes_with_the_same_results_differ_by_their_stream_and_by_what_runs():
    tuner = Tuner(LINE, seed=1)
    assert len({tuner.suggest(stream=number)["x"] for number in range(8)}) == 8
    assert tuner.suggest(running=[{"x": 0.5}]) != tuner.suggest()
    for number in range(8):
        tuner.observe({"x": number / 7}, (number / 7 - 0.3) ** 2)
    alone = tuner.suggest()
    beside = tuner.suggest(running=[alone])
    assert abs(beside["x"] - alone["x"]) > 0.01
    with pytest.raises(InvalidSpec, match="x: 2 lies outside"):
        tuner.ask(running=[{"x": 2}])
    with pytest.raises(InvalidSpec, match="stream: -1 must be a whole number from 0 on"):
        tuner.ask(stream=-1)


def test_a_training_job_that_somebody_else_chose_is_begun_reported_and_told():
    tuner = Tuner(LINE)
    job = tuner.begin({"x": 0.25})
    assert (job.number, job.status) == (1, "InProgress")
    tuner.report(job, 1, 0.9)
    tuner.tell(job, 0.8)
    assert (tuner.best.number, tuner.best.objective) == (1, 0.8)
    with pytest.raises(InvalidSpec, match="x: 2 lies outside"):
        tuner.begin({"x": 2})


def test_early_stopping_judges_a_curve_from_elsewhere_and_records_nothing():
    tuner = Tuner(LINE, early_stopping="Auto")
    for place in range(10):
        tuner.observe({"x": place / 10}, curve=[(1 + place / 10) / step for step in range(1, 6)])
    before = facts(tuner)
    assert "its chance of ending better than 0.2" in tuner.would_stop({"x": 0.55}, [4.0, 4.0, 4.0])
    assert tuner.would_stop({"x": 0.55}, [1.1]) is None
    assert facts(tuner) == before


@pytest.mark.parametrize("condition", [None, {"n": ">= 2"}])
def test_an_optional_hyperparameter_may_be_absent_from_results_and_is_in_every_suggestion(condition):
    space = {
        "n": Integer(1, 3),
        "m": Continuous(0, 1, optional=True, requires=condition),
        "c": Categorical(["a", "b"], optional=True),
    }
    tuner = Tuner(space, seed=2)
    for number in range(12):
        whole = {"n": number % 3 + 1, "m": number / 12, "c": "ab"[number % 2]}
        missing = ("m", "c", None)[number % 3]
        if condition and whole["n"] < 2:
            del whole["m"]
        whole.pop(missing, None)
        tuner.observe(whole, float(number))
    for _ in range(5):
        suggested = tuner.ask().hyperparameters
        assert suggested["c"] in ("a", "b")
        assert ("m" in suggested) == (condition is None or suggested["n"] >= 2)
    assert tuner.history.observations()[0].shape == (12, 3)
    with pytest.raises(InvalidSpec, match="n: this hyperparameter is missing"):
        tuner.observe({"m": 0.5, "c": "a"}, 1.0)


def test_a_verdict_says_whether_it_is_met_and_survives_its_dictionary():
    tuner = Tuner(LINE, criteria=["TargetObjectiveMetricValue 0.5", alfine.Shadow(alfine.BestObjectiveNotImproving(3))])
    assert not tuner.verdict.met
    for _ in range(4):
        tuner.observe({"x": 0.1}, 1.0)
    assert [verdict.met for verdict in tuner.verdicts] == [False, False]
    verdict = tuner.observe({"x": 0.1}, 0.4)
    assert verdict.met
    assert alfine.Verdict.from_dict(verdict.as_dict()).sentence == verdict.sentence


def test_an_instant_without_a_zone_is_refused():
    with pytest.raises(InvalidSpec, match="at: .* must be an instant with its zone"):
        Tuner(LINE).observe({"x": 0.5}, 1.0, at=at(0).replace(tzinfo=None))


def test_many_threads_use_one_tuner():
    tuner = Tuner(SPACE, criteria=[alfine.MaxNumberOfTrainingJobs(60)], strategy="Random", early_stopping="Auto")
    failures = []

    def work():
        try:
            while job := tuner.ask():
                for step in (1, 2):
                    tuner.report(job, step, job.hyperparameters["eta"] / step)
                tuner.tell(job, job.hyperparameters["eta"])
                assert tuner.verdict.sentence
        except Exception as error:  # noqa: BLE001 - whatever a thread raises fails the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [job.number for job in tuner.training_jobs] == [*range(1, 61)]
    assert all(len(job.reports) == 2 and not job.running for job in tuner.training_jobs)
    again = pickle.loads(pickle.dumps(tuner))
    assert again.tell(again.begin(POINT), 0.0).sentence


def test_a_step_and_a_single_value_survive_a_home(tmp_path):
    space = {
        "x": Continuous(0, 1, step=0.25),
        "n": Integer(32, 128, step=32),
        "one": Integer(7, 7),
        "k": Categorical([1, "1"]),
    }
    seen = []

    def objective(hyperparameters):
        seen.append(hyperparameters)
        return hyperparameters["x"] + hyperparameters["n"]

    job = alfine.tune(objective, space, max_training_jobs=8, home=tmp_path, progress=False, seed=1)
    assert {h["x"] for h in seen} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert {h["n"] for h in seen} <= {32, 64, 96, 128}
    assert {repr(h["one"]) for h in seen} == {"7"}
    assert {repr(h["k"]) for h in seen} == {"1", "'1'"}
    recorded = alfine.attach(job.name, home=tmp_path)
    assert recorded.history.spec.space.ranges["n"] == Integer(32, 128, step=32)
    assert recorded.history.spec.size == 5 * 4 * 2


def test_time_passes_between_results_from_elsewhere():
    now = [at(0)]
    tuner = Tuner(LINE, criteria=[alfine.MaxRuntimeInSeconds(60)], clock=lambda: now[0])
    now[0] = at(10)
    tuner.observe({"x": 0.5}, 1.0, at=at(10))
    now[0] += timedelta(seconds=50)
    assert tuner.verdict.met
