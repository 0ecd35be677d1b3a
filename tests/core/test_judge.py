from datetime import timedelta
from itertools import permutations

import pytest

from alfine import BestObjectiveNotImproving, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds, TargetObjectiveMetricValue
from alfine.core.facts import TimePassed, TuningJobStopAsked
from alfine.core.judge import Judge
from alfine.core.protocols import verdict_of
from alfine.core.verdict import Outlook, Verdict, strongest
from alfine.jobs.policy_for import policy_for
from tests.building import history

CURVE = [5.0, 4.0, 3.0, 3.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]


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


def test_while_it_goes_on_the_verdict_is_the_one_nearest_to_its_end():
    past = history([1.0, 1.0, 1.0], criteria=[BestObjectiveNotImproving(5), MaxNumberOfTrainingJobs(100)])
    verdict = policy_for(past.spec).verdict(past)
    assert (verdict.outlook, verdict.criterion) == (Outlook.CONTINUE, "BestObjectiveNotImproving")


def test_time_that_makes_the_verdict_stronger_is_a_fact():
    past = history(criteria=[MaxRuntimeInSeconds(60)])
    judge = Judge(past, policy_for(past.spec))
    judge.record(history([1.0]).facts)
    assert judge.look(past.now + timedelta(seconds=10)) == []
    (fact,) = judge.look(past.now + timedelta(seconds=100))
    assert fact == past.facts[-1] == TimePassed(at=past.now)
    assert judge.verdict.criterion == "MaxRuntimeInSeconds"
    assert judge.look(past.now + timedelta(seconds=100)) == []


def test_time_passes_until_a_criterion_ends_the_job_and_no_further():
    past = history(criteria=[MaxRuntimeInSeconds(60)])
    judge = Judge(past, policy_for(past.spec))
    judge.judge()
    judge.pass_time(past.created_at + timedelta(days=1))
    assert (judge.verdict.outlook, past.now) == (Outlook.STOP, past.created_at + timedelta(seconds=60))


class Broken:
    """A criterion of another package that raises."""

    is_limit = True

    def check(self, history):
        raise ZeroDivisionError("no results yet")


def test_a_criterion_that_raises_is_told_and_the_job_goes_on():
    verdict = verdict_of(Broken(), history([1.0]))
    assert (verdict.outlook, verdict.criterion) == (Outlook.CONTINUE, "Broken")
    assert verdict.sentence == "Broken could not be judged: ZeroDivisionError: no results yet"
    assert verdict.evidence == {"error": "ZeroDivisionError"}


@pytest.mark.parametrize("statuses", [*permutations(["Completed", "Failed", "Stopped"])], ids=str)
def test_the_users_stop_counts_more_than_a_failure_and_that_more_than_what_completes_a_job(statuses):
    verdicts = [Verdict(outlook=Outlook.STOP, criterion="Any", sentence=".", status=status) for status in statuses]
    assert strongest(verdicts).status == "Stopped"
    assert strongest([verdict for verdict in verdicts if verdict.status != "Stopped"]).status == "Failed"
