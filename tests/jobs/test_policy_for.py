"""From a job's request to what decides about it."""

from dataclasses import dataclass

import pytest

import alfine
from alfine import TargetObjectiveMetricValue
from alfine.core.errors import InvalidSpec
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import table
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.jobs.home import Home
from alfine.jobs.policy_for import policy_for, replayed, unread_settings
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
