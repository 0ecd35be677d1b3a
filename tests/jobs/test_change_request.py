"""Limits and criteria changed while a job runs, and ended jobs that go on: from Python, by the store, in replays."""

import json
import threading
from dataclasses import replace

import pytest

import alfine
from alfine import BestObjectiveNotImproving, MaxNumberOfTrainingJobs, TargetObjectiveMetricValue
from alfine.core.errors import InvalidSpec, NotTerminal
from alfine.core.facts import Changed, TuningJobStopAsked
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import SPACE, history, one_job, request, spec

WORDS = {"metric": "loss", "strategy": "Random", "seed": 3, "name": "changed"}


def objective(hyperparameters):
    return (hyperparameters["eta"] - 0.3) ** 2


def tune(tmp_path, **words):
    return alfine.tune(objective, {"eta": SPACE["eta"]}, home=tmp_path, progress=False, **{**WORDS, **words})


def test_an_ended_job_goes_on_with_its_whole_record(tmp_path):
    first = tune(tmp_path, max_training_jobs=4)
    alfine.change("changed", home=tmp_path, max_training_jobs=7)
    second = tune(tmp_path, max_training_jobs=4)  # the words it was created with: it's the same job
    assert [job.number for job in second.history.jobs] == [1, 2, 3, 4, 5, 6, 7]
    assert [job.name for job in second.history.jobs[:4]] == [job.name for job in first.history.jobs]
    assert second.status == "Completed"
    assert second.verdict.evidence["limit"] == 7


def test_it_would_have_found_the_same_had_it_been_asked_for_at_once(tmp_path):
    tune(tmp_path / "a", max_training_jobs=4)
    alfine.change("changed", home=tmp_path / "a", max_training_jobs=7)
    twice, once = tune(tmp_path / "a", max_training_jobs=4), tune(tmp_path / "b", max_training_jobs=7)
    assert [job.hyperparameters for job in twice.history.jobs] == [job.hyperparameters for job in once.history.jobs]


def test_a_stopped_job_goes_on_and_its_stop_stays_in_the_record(tmp_path):
    tune(tmp_path, max_training_jobs=3)
    with Home(tmp_path) as home:
        home.service.change("changed", max_training_jobs=5)
        home.service.request_stop("changed")
        with pytest.raises(NotTerminal, match="is stopping"):
            home.service.change("changed", max_training_jobs=6)
        home.store.finish("changed", "Stopped", home.service.clock())
        home.service.change("changed", max_training_jobs=6)
        kinds = [
            type(fact)
            for fact in home.service.history("changed").facts
            if isinstance(fact, Changed | TuningJobStopAsked)
        ]
        assert kinds == [Changed, TuningJobStopAsked, Changed]
        assert len(home.service.describe("changed")["Alfine"]["Changes"]) == 2
    assert tune(tmp_path, max_training_jobs=3).history.launches == 6


def test_a_running_job_takes_a_change_up_at_its_next_step(tmp_path):
    begun, go_on = threading.Event(), threading.Event()
    count = 0

    def slow(hyperparameters):
        nonlocal count
        count += 1
        if count == 2:
            begun.set()
            assert go_on.wait(30)
        return 1.0

    found = []
    words = {**WORDS, "max_training_jobs": 50, "progress": False, "home": tmp_path}
    thread = threading.Thread(target=lambda: found.append(alfine.tune(slow, {"eta": SPACE["eta"]}, **words)))
    thread.start()
    assert begun.wait(30)
    alfine.change("changed", home=tmp_path, criteria=[BestObjectiveNotImproving(3)])
    go_on.set()
    thread.join(60)
    (job,) = found
    assert job.status == "Completed"
    assert job.verdict.criterion == "BestObjectiveNotImproving"
    assert job.history.launches == 4
    assert replayed(job.history).verdict.criterion == "BestObjectiveNotImproving"


def test_a_change_that_would_end_it_again_at_once_is_refused_with_the_reason(tmp_path):
    tune(tmp_path, max_training_jobs=4)
    with pytest.raises(
        InvalidSpec,
        match=r"would end again at once. MaxNumberOfTrainingJobs: 4 training jobs launched \(the limit is 3\), 4 ended",
    ):
        alfine.change("changed", home=tmp_path, max_training_jobs=3)
    with pytest.raises(InvalidSpec, match="nothing to change"):
        alfine.change("changed", home=tmp_path, max_training_jobs=4)
    with Home(tmp_path) as home:
        assert home.service.get("changed").status == "Completed"


def changed_record():
    """Five training jobs under a limit of 5, then a limit of 12 with a target, which the tenth meets."""
    past = history([5.0, 4.0, 3.0, 3.5, 3.2], max_training_jobs=5)
    after = spec(max_training_jobs=12, criteria=[TargetObjectiveMetricValue(1.0)])
    past.record(Changed(at=past.now, spec=after))
    for value in (3.0, 3.0, 3.0, 3.0, 0.5):
        for fact in one_job(past, value):
            past.record(fact)
    return past


def test_replays_honour_changes():
    record = changed_record()
    own = replayed(record)
    assert (own.verdict.criterion, own.training_jobs) == ("TargetObjectiveMetricValue", 10)
    assert own.facts == len(record.facts)


def test_other_criteria_are_replayed_as_if_nothing_had_been_changed():
    record = changed_record()
    assert replayed(record, [BestObjectiveNotImproving(4)]).training_jobs == 7
    assert replayed(record, [MaxNumberOfTrainingJobs(8)]).training_jobs == 8


def test_the_past_is_what_it_was_under_the_words_of_then():
    record = changed_record()
    assert record.upto(10).spec.max_training_jobs == 5
    assert record.spec.max_training_jobs == 12
    assert record.upto(len(record.facts)).spec.target == 1.0


def test_what_was_derived_under_the_old_words_is_forgotten():
    record = changed_record().upto(15)
    policy = policy_for(record.spec)
    before = policy.verdict(record)
    record.record(Changed(at=record.now, spec=replace(record.spec, max_training_jobs=40)))
    after = policy_for(record.spec).verdict(record)
    assert (before.evidence["limit"], after.evidence["limit"]) == (5, 40)


def test_a_change_survives_the_request_and_the_tags(tmp_path):
    tune(tmp_path, max_training_jobs=2)
    with Home(tmp_path) as home:
        words = {"max_training_jobs": 9, "criteria": [BestObjectiveNotImproving(7, strict=True)], "at_end": "drain"}
        job = home.service.change("changed", **words)
        assert home.store.tags(job.id, 0)["alfine:at-end"] == "drain"
        assert json.loads(json.dumps(job.request)) == job.request
        assert (
            home.store.original("changed")["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"]
            == 2
        )
        assert BestObjectiveNotImproving(7, strict=True) in policy_for(home.service.history("changed").spec).criteria


NINES = int("9" * 400)


@pytest.mark.parametrize(
    "words",
    [
        {"max_training_jobs": NINES},
        {"max_training_jobs": 2**31},
        {"max_parallel": NINES},
        {"max_runtime_seconds": NINES},
        {"max_runtime_seconds": float("inf")},
        {"price_per_hour": NINES},
        {"repeats": NINES},
        {"criteria": [f"Deadline {NINES}"]},
        {"criteria": [f"BestObjectiveNotImproving {NINES}"]},
        {"criteria": [f"TargetObjectiveMetricValue {NINES}"]},
        {"criteria": [f"Steady(ConvergenceDetected, times={NINES})"]},
        {"early_stopping": "Sometimes"},
        {"at_end": "never"},
    ],
    ids=lambda words: next(iter(words)),
)
def test_a_change_is_refused_as_create_refuses_it(changeable, words):
    with pytest.raises(InvalidSpec) as refused:
        alfine.change("changed", home=changeable, **words)
    with pytest.raises(InvalidSpec) as not_created:
        tune(changeable, **{**words, "name": "new"})
    assert str(refused.value) == str(not_created.value)
    assert len(str(refused.value)) < 600


@pytest.fixture(scope="module")
def changeable(tmp_path_factory):
    home = tmp_path_factory.mktemp("changeable")
    tune(home, max_training_jobs=2)
    return home


def test_a_record_that_is_not_understood_hides_no_other_job_and_a_change_mends_it(tmp_path):
    """Earlier versions recorded changes to numbers that this one refuses."""
    tune(tmp_path, max_training_jobs=2)
    tune(tmp_path, max_training_jobs=2, name="other")
    with Home(tmp_path) as home:
        job = home.store.get("changed")
        request = {**job.request, "HyperParameterTuningJobConfig": {**job.request["HyperParameterTuningJobConfig"]}}
        request["HyperParameterTuningJobConfig"]["ResourceLimits"] = {
            "MaxNumberOfTrainingJobs": NINES,
            "MaxParallelTrainingJobs": 1,
        }
        home.store.change("changed", job.request, replace(job.spec(), request=request), home.service.clock())
        rows = list(home.service.list())
        assert [(row["MetricName"], "is too large" in row.get("Error", "")) for row in rows] == [
            (None, True),
            ("loss", False),
        ]
        with pytest.raises(InvalidSpec, match="is too large"):
            home.service.describe("changed")
        assert home.store.history("changed").spec.max_training_jobs == 2
        home.service.change("changed", max_training_jobs=3)
        assert home.service.describe("changed")["HyperParameterTuningJobStatus"] == "InProgress"
    assert tune(tmp_path, max_training_jobs=2).status == "Completed"


@pytest.mark.parametrize("what", ["change", "stop", "force"])
def test_what_a_user_asks_for_while_the_end_is_written_is_not_lost(tmp_path, monkeypatch, what):
    ask = {
        "change": lambda home: home.service.change("job", max_training_jobs=3),
        "stop": lambda home: home.service.request_stop("job"),
        "force": lambda home: home.force_stop("job"),
    }
    with Home(tmp_path) as home:
        home.service.create(
            request(function="tests:objective", metric="loss", strategy="Random", max_training_jobs=2), objective
        )
        engine, finish, asked = home.engine({"job": lambda *_: 1.0}), home.store.finish, [ask[what]]

        def late(*words, **more):
            if asked:
                asked.pop()(home)
            finish(*words, **more)

        monkeypatch.setattr(home.store, "finish", late)
        engine.run("job")
        job = home.store.get("job")
        status, launched = {"change": ("Completed", 3), "stop": ("Stopped", 2), "force": ("Stopped", 2)}[what]
        assert (job.status, home.store.history("job").launches) == (status, launched)


@pytest.mark.parametrize("seed", [NINES, 10**5000, 2**64], ids=["400 digits", "5000 digits", "65 bits"])
def test_a_seed_that_is_too_large_is_refused(tmp_path, seed):
    with pytest.raises(InvalidSpec, match="seed: .* is too large. Use a whole number up to 18446744073709551615"):
        tune(tmp_path, seed=seed)
