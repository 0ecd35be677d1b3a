"""From a job's request to what decides about it."""

import dataclasses
from dataclasses import dataclass

import pytest

import alfine
from alfine import TargetObjectiveMetricValue
from alfine.core.errors import InvalidSpec
from alfine.core.policy import AT_END
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import table
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.jobs.home import Home
from alfine.jobs.policy_for import is_setting, policy_for, replayed, unread_settings
from tests.building import history, request, spec


@pytest.fixture
def built(monkeypatch):
    """How often the criteria of a spec are built: one of them counts."""
    counted = []

    @dataclass(frozen=True)
    class Counting(MaxNumberOfTrainingJobs):
        @classmethod
        def from_spec(cls, spec):
            counted.append(spec.name)

    kinds = {**table(), "Counting": Counting}
    monkeypatch.setattr("alfine.criteria.table", lambda: kinds)
    return counted


def test_a_jobs_criteria_are_built_once_when_it_is_created_and_when_it_is_changed(tmp_path, built):
    with Home(tmp_path) as home:
        home.service.create(request(), lambda _: 1.0)
        assert built == ["job"]
        home.service.change("job", max_training_jobs=7)
        assert built == ["job", "job"]


def test_a_setting_of_a_criterion_that_the_job_has_is_read():
    asked = spec(criteria=[alfine.ConvergenceDetected(delta=0.1)])
    assert list(unread_settings(asked, policy_for(asked).criteria)) == []
    (fault,) = unread_settings(asked, ())
    assert str(fault) == (
        "Tags.alfine:ConvergenceDetected: ConvergenceDetected is asked for in TuningJobCompletionCriteria, not by a tag alone."
    )


def test_a_replay_takes_criteria_that_no_request_could_name():
    @dataclass(frozen=True)
    class Third:
        def check(self, history):
            outlook = Outlook.STOP if history.ended == 3 else Outlook.CONTINUE
            return Verdict(outlook=outlook, criterion="Third", sentence=".")

    found = replayed(history([1.0] * 6), [Third(), alfine.BestObjectiveNotImproving(5)])
    assert (found.verdict.criterion, found.training_jobs) == ("Third", 3)
    with pytest.raises(InvalidSpec, match="can't be kept with a job"):
        spec(criteria=[Third()])


def test_a_field_of_amt_is_not_asked_for_by_a_tag_beside_it():
    asked = request(criteria=[TargetObjectiveMetricValue(0.5)])
    asked["Tags"] = [*asked.get("Tags", []), {"Key": "alfine:TargetObjectiveMetricValue", "Value": "0.4"}]
    (fault,) = unread_settings(read_spec(asked), ("TargetObjectiveMetricValue",))
    assert "TargetObjectiveMetricValue is asked for in " in str(fault)
    assert str(fault).endswith(", not by a tag alone.")


TAGS = {
    # a tag, beside those of the job: what is wrong with it
    "forbid": "",
    "forbid-2": "",
    "forbid-3": "",
    "forbid-10": "goes on with alfine:forbid-9, and there is none.",
    "forbid-4": "",
    "start-with-2": "goes on with alfine:start-with, and there is none.",
    "criteria-3": "goes on with alfine:criteria-2, and there is none.",
    "forbid-1": "isn't a setting of alfine. Did you mean alfine:forbid?",
    "forbid-01": "isn't a setting of alfine. Did you mean alfine:forbid?",
    "price-per-hour-2": "isn't a setting of alfine. Did you mean alfine:price-per-hour?",
    "price-per-hour": "",
    "pryce-per-hour": "isn't a setting of alfine. Did you mean alfine:price-per-hour?",
    "team": "",
    "MaxCost": "",
    "MaxCosts": "isn't a setting of alfine. Did you mean alfine:MaxCost?",
    "MarginalValue": "MarginalValue is asked for in the tag alfine:criteria.",
    "ConvergenceDetected": "",
    "BestObjectiveNotImproving": "BestObjectiveNotImproving is asked for in TuningJobCompletionCriteria, not by a tag alone.",
    "MaxNumberOfTrainingJobs": "MaxNumberOfTrainingJobs is asked for in ResourceLimits, not by a tag alone.",
}
"""By the key of a tag. The job has ConvergenceDetected, MaxCost and four parts of `forbid`."""


@pytest.mark.parametrize(("key", "fault"), TAGS.items())
def test_each_tag_that_nothing_reads_is_told(key, fault):
    asked = spec(criteria=[alfine.ConvergenceDetected(), alfine.MaxCost(5)], price_per_hour=1)
    settings = {**asked.settings, **dict.fromkeys(("forbid", "forbid-2", "forbid-3"), "x"), key: "1"}
    found = list(unread_settings(dataclasses.replace(asked, settings=settings), policy_for(asked).criteria))
    assert [str(each) for each in found] == ([f"Tags.alfine:{key}: {fault}"] if fault else [])


@pytest.mark.parametrize(
    ("tag", "is_read"),
    [
        ("alfine:price-per-hour", True),
        ("alfine:criteria-2", True),
        ("alfine:forbid-12", True),
        ("alfine:MaxCost", True),
        ("alfine:forbid-1", False),
        ("alfine:MaxCost-2", False),
        ("alfine:team", False),
        ("price-per-hour", False),
        ("other:price-per-hour", False),
    ],
)
def test_tags_that_alfine_reads(tag, is_read):
    assert is_setting(tag) == is_read


def test_a_job_says_what_becomes_of_those_that_run_at_its_end():
    assert policy_for(spec()).at_end == "stop"
    with pytest.raises(InvalidSpec, match=r"Tags.alfine:at-end: 'Never' isn't one of "):
        policy_for(dataclasses.replace(spec(), settings={"at-end": "Never"}))
    for word in AT_END:
        assert policy_for(dataclasses.replace(spec(), settings={"at-end": word})).at_end == word


def test_a_strategy_that_stops_training_jobs_is_asked_first():
    plain = policy_for(spec(strategy="Hyperband", max_resource=9))
    assert plain.early_stopping[0] is plain.strategy
    auto = policy_for(spec(strategy="Random", early_stopping="Auto"))
    assert (len(auto.early_stopping), policy_for(spec(strategy="Random")).early_stopping) == (1, ())


def test_criteria_in_place_of_the_jobs_are_the_only_ones():
    others = [alfine.MaxCost(5)]
    asked = spec(max_training_jobs=9, max_parallel=2)
    assert (policy_for(asked, others).criteria, policy_for(asked, []).criteria) == (tuple(others), ())
    assert policy_for(asked).max_parallel == 2
    assert policy_for(asked).nothing_left == "SearchSpaceExhausted"


def test_a_replay_without_criteria_is_under_the_jobs_own_and_with_some_under_those_as_well():
    past = history([float(number) for number in range(12)], max_training_jobs=10)
    own = replayed(past)
    assert (own.verdict.criterion, own.training_jobs) == ("MaxNumberOfTrainingJobs", 10)
    for words, count in (("MaxNumberOfTrainingJobs 7", 7), ("BestObjectiveNotImproving 4", 5)):
        assert replayed(past, words).training_jobs == count
    with pytest.raises(InvalidSpec):
        replayed(past, "Unknown 5")
