import pytest

from alfine import BestObjectiveNotImproving, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, TargetObjectiveMetricValue
from alfine.core.facts import Changed, TuningJobStopAsked
from alfine.core.replay import replay
from alfine.core.verdict import Outlook
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import history

CURVE = [5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]


def test_a_plateau_ends_the_job_where_it_was_met_whatever_came_later():
    found = replayed(history(CURVE), [BestObjectiveNotImproving(3)])
    assert (found.verdict.criterion, found.training_jobs) == ("BestObjectiveNotImproving", 6)
    assert (found.best.objective, found.missed) == (3.0, 2.0)
    assert (found.saved_training_jobs, found.saved_training_seconds) == (4, 4.0)


def test_a_target_ends_it_at_the_training_job_that_reached_it():
    assert replayed(history(CURVE), [TargetObjectiveMetricValue(3.5)]).training_jobs == 3


def test_a_limit_in_time_ends_it_between_two_facts():
    found = replayed(history(CURVE), [MaxRuntimeInSeconds(4.5)])
    assert (found.verdict.criterion, found.training_jobs) == ("MaxRuntimeInSeconds", 5)
    assert found.training_seconds == 4.5


def test_a_limit_on_the_number_lets_those_launched_finish():
    found = replayed(history(CURVE), [MaxNumberOfTrainingJobs(4)])
    assert (found.verdict.outlook, found.training_jobs, found.history.ended) == (Outlook.DRAIN, 4, 4)


def test_criteria_that_are_not_met_replay_the_whole_record():
    found = replayed(history(CURVE), [BestObjectiveNotImproving(50)])
    assert (found.verdict.outlook, found.training_jobs, found.missed) == (Outlook.CONTINUE, 10, 0.0)


def test_the_first_of_several_criteria_is_named():
    found = replayed(history(CURVE), [BestObjectiveNotImproving(3), TargetObjectiveMetricValue(3.5)])
    assert found.verdict.criterion == "TargetObjectiveMetricValue"


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_what_is_missed_is_never_negative(goal):
    assert replayed(history(CURVE, goal=goal), [BestObjectiveNotImproving(3)]).missed >= 0


def test_a_stop_right_after_a_change_ends_a_replay_and_one_before_it_does_not():
    past = history(CURVE, max_training_jobs=20)
    past.record(TuningJobStopAsked(at=past.now))
    past.record(Changed(at=past.now, spec=past.spec))
    policy = policy_for(past.spec)
    assert replay(past, policy).verdict.outlook is Outlook.CONTINUE
    past.record(TuningJobStopAsked(at=past.now))
    assert replay(past, policy).verdict.criterion == "StopRequested"
