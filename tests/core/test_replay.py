import pytest

from alfine import BestObjectiveNotImproving, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, TargetObjectiveMetricValue
from alfine.core.facts import TuningJobStopAsked
from alfine.core.judge import Judge
from alfine.core.policy import Outlook
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


def test_the_users_stop_outranks_a_criterion_that_is_already_met():
    past = history(criteria=[TargetObjectiveMetricValue(3.5)])
    judge = Judge(past, policy_for(past.spec))
    judge.record(history(CURVE).facts)
    assert judge.verdict.criterion == "TargetObjectiveMetricValue"
    judge.record([TuningJobStopAsked(at=past.now)])
    assert (judge.verdict.criterion, judge.verdict.status) == ("StopRequested", "Stopped")


def test_a_target_reached_while_draining_stops_the_rest():
    past = history(criteria=[TargetObjectiveMetricValue(3.5)], max_training_jobs=3)
    judge = Judge(past, policy_for(past.spec))
    facts = history(CURVE[:3]).facts
    judge.record(facts[:-1])
    assert (judge.verdict.criterion, judge.verdict.outlook) == ("MaxNumberOfTrainingJobs", Outlook.DRAIN)
    judge.record(facts[-1:])
    assert (judge.verdict.criterion, judge.verdict.outlook) == ("TargetObjectiveMetricValue", Outlook.STOP)


@pytest.mark.parametrize("goal", ["Minimize", "Maximize"])
def test_what_is_missed_is_never_negative(goal):
    assert replayed(history(CURVE, goal=goal), [BestObjectiveNotImproving(3)]).missed >= 0


def test_while_it_goes_on_the_verdict_is_the_one_nearest_to_its_end():
    past = history([1.0, 1.0, 1.0], criteria=[BestObjectiveNotImproving(5), MaxNumberOfTrainingJobs(100)])
    verdict = policy_for(past.spec).verdict(past)
    assert (verdict.outlook, verdict.criterion) == (Outlook.CONTINUE, "BestObjectiveNotImproving")
