"""A training job as the facts have it, its names, and its status for AMT's clients."""

import math

import pytest

from alfine import InvalidSpec
from alfine.core.arns import Arns, name_as_created
from alfine.core.errors import AlfineError, Fault, IllegalTransition, NoTuningJob
from alfine.core.facts import TRANSITIONS, TUNING_TRANSITIONS, Changed, Reported, check_transition, is_terminal
from alfine.core.training_job import (
    TrainingJob,
    counter_of,
    objective_status_of,
    training_job_name,
    valid_objective,
)
from tests.building import at, spec

INTERNAL = "InternalServerError: the machine was lost"


def job(**words):
    return TrainingJob(
        **{"number": 1, "name": "job-001", "hyperparameters": {"eta": 0.5}, "created_at": at(0), **words}
    )


def test_training_time_is_from_the_start_of_the_program_to_its_end():
    assert job(started_at=at(2), ended_at=at(5)).seconds == 3.0
    assert job(started_at=at(2), ended_at=at(2)).seconds == 0.0
    assert job(started_at=at(5), ended_at=at(2)).seconds == 0.0, "a clock that was set back"
    assert (job(started_at=at(2)).seconds, job(ended_at=at(5)).seconds, job().seconds) == (0.0, 0.0, 0.0)
    assert (job().running, job(status="Stopping").running, job(ended_at=at(5)).running) == (True, True, False)


def test_metrics_are_in_the_order_of_their_reports():
    reported = [("loss", 3.0), ("accuracy", 0.5), ("loss", 2.0)]
    reports = [Reported(at=at(i), number=1, metric=m, step=i, value=v) for i, (m, v) in enumerate(reported)]
    assert job(reports=reports).metrics == {"loss": [3.0, 2.0], "accuracy": [0.5]}
    assert (job(reports=reports).curve("loss"), job(reports=reports).curve("other"), job().metrics) == (
        [3.0, 2.0],
        [],
        {},
    )


@pytest.mark.parametrize(
    ("words", "status", "counter", "has_place"),
    [
        ({}, "Pending", "InProgress", True),
        ({"status": "Stopping"}, "Pending", "InProgress", True),
        ({"ended_at": at(1), "status": "Completed", "objective": 0.0}, "Succeeded", "Completed", True),
        ({"ended_at": at(1), "status": "Stopped", "objective": 0.5}, "Succeeded", "Stopped", True),
        ({"ended_at": at(1), "status": "Completed"}, "Failed", "Completed", True),
        ({"ended_at": at(1), "status": "Failed"}, "Failed", "NonRetryableError", True),
        ({"ended_at": at(1), "status": "Failed", "failure_reason": INTERNAL}, "Failed", "RetryableError", True),
        ({"ended_at": at(1), "status": "Failed", "hyperparameters": {}}, "Failed", "NonRetryableError", False),
        ({"hyperparameters": {}, "objective": 0.0}, "Pending", "InProgress", True),
    ],
)
def test_a_training_job_has_amts_statuses(words, status, counter, has_place):
    made = job(**words)
    assert (made.objective_status, made.counter, made.has_place) == (status, counter, has_place)
    assert objective_status_of(ended=not made.running, objective=made.objective) == status
    assert counter_of(made.status, internal=made.failure_reason == INTERNAL) == counter


def test_only_a_finite_objective_of_a_training_job_that_did_not_fail_counts():
    assert [valid_objective(status, 0.0) for status in ("Completed", "Stopped", "Failed")] == [0.0, 0.0, None]
    assert [valid_objective("Completed", value) for value in (None, math.nan, math.inf, -math.inf)] == [None] * 4


def test_a_training_job_is_printed_with_its_objective_and_its_configuration():
    assert repr(job(objective=0.25)) == "<TrainingJob 1: InProgress, objective 0.25, eta=0.5>"
    assert repr(job()) == "<TrainingJob 1: InProgress, no objective, eta=0.5>"


def test_names_of_training_jobs_have_three_digits_or_more_and_differ_by_creation():
    assert training_job_name("tune", 7, at(0)).startswith("tune-007-")
    assert training_job_name("tune", 1234, at(0)).startswith("tune-1234-")
    assert len({training_job_name("tune", 7, at(second)) for second in (0, 1)}) == 2
    assert all(len(training_job_name("t", n, at(0))) == len("t-001-") + 8 for n in range(1, 99))


def test_a_status_follows_another_one_as_the_table_allows():
    ends = {"Completed", "Failed", "Stopped"}
    assert {status for status in TRANSITIONS if is_terminal(status)} == ends
    assert {status for status in TUNING_TRANSITIONS if is_terminal(status)} == ends
    check_transition("job-001", "Stopping", "Completed")
    with pytest.raises(IllegalTransition, match=r"^tune is Stopping and can't become Completed\.$"):
        check_transition("tune", "Stopping", "Completed", TUNING_TRANSITIONS)
    with pytest.raises(IllegalTransition, match=r"^job-001 is Completed and can't become Failed\.$"):
        check_transition("job-001", "Completed", "Failed")


def test_arns_have_names_in_lower_case_and_no_mark_of_deletion():
    arns = Arns()
    start = "arn:aws:sagemaker:us-east-1:000000000000"
    assert arns.tuning_job("Tune#12") == f"{start}:hyper-parameter-tuning-job/tune"
    assert arns.training_job("Tune-001") == f"{start}:training-job/tune-001"
    assert arns.algorithm("XGB") == f"{start}:algorithm/xgb"
    assert (name_as_created("tune#12"), name_as_created("tune")) == ("tune", "tune")


def test_errors_say_what_is_wrong_where():
    error = InvalidSpec([Fault("x.y", "is wrong."), Fault("", "So is this.")])
    assert (str(error), error.code, isinstance(error, ValueError)) == (
        "x.y: is wrong.\nSo is this.",
        "ValidationException",
        True,
    )
    assert [fault.path for fault in error.faults] == ["x.y", ""]
    assert AlfineError().code == "InternalFailure"


def test_a_tuning_job_that_is_not_there_is_told_in_two_ways():
    error = NoTuningJob("tune-1", "tune-2")
    assert str(error) == "Amazon SageMaker can't find a tuning job called tune-1. Type another name."
    assert error.sentence() == "There is no tuning job called tune-1. Did you mean tune-2?"
    assert NoTuningJob("tune-1").sentence(" here") == "There is no tuning job called tune-1 here."


def test_the_request_is_not_printed_with_what_was_read_from_it():
    read = spec(static={"secret": "xyz"})
    assert "request=" not in repr(read)
    assert "parts=" not in repr(read)
    assert "spec=" not in repr(Changed(at=at(0), spec=read))
