import pytest

from alfine import InvalidSpec, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds
from alfine.core.facts import TuningJobStopAsked
from alfine.core.verdict import Outlook
from alfine.criteria.no_training_job_succeeded import NoTrainingJobSucceeded
from alfine.criteria.search_space_exhausted import SearchSpaceExhausted
from alfine.criteria.stop_requested import StopRequested
from tests.building import at, history


def test_the_last_training_job_allowed_drains():
    criterion = MaxNumberOfTrainingJobs(3)
    assert criterion.check(history([1.0, 2.0])).outlook is Outlook.CONTINUE
    verdict = criterion.check(history([1.0, None, 2.0]))
    assert (verdict.outlook, verdict.status) == (Outlook.DRAIN, "Completed")
    assert verdict.sentence == "3 of at most 3 training jobs launched, 3 ended."


def test_time_stops_exactly_at_the_limit_and_says_when_to_ask_again():
    criterion, past = MaxRuntimeInSeconds(10), history([1.0])
    verdict = criterion.check(past)
    assert (verdict.outlook, verdict.ask_again_at) == (Outlook.CONTINUE, at(10))
    past.now = at(10)
    assert criterion.check(past).outlook is Outlook.STOP


def test_five_failures_before_the_first_success_fail_the_job():
    criterion = NoTrainingJobSucceeded()
    assert criterion.check(history([None] * 4)).outlook is Outlook.CONTINUE
    verdict = criterion.check(history([None] * 5))
    assert (verdict.outlook, verdict.status) == (Outlook.DRAIN, "Failed")
    assert verdict.sentence.startswith("No training job succeeded after 5 attempts.")
    assert "it broke" in verdict.sentence


def test_one_success_lifts_the_rule_for_good():
    assert NoTrainingJobSucceeded().check(history([1.0] + [None] * 50)).outlook is Outlook.CONTINUE


def test_the_users_stop_is_stopped_not_completed():
    past = history([1.0])
    past.record(TuningJobStopAsked(at=past.now))
    verdict = StopRequested().check(past)
    assert (verdict.outlook, verdict.status) == (Outlook.STOP, "Stopped")


def test_a_finite_space_is_exhausted_when_each_configuration_was_launched():
    from alfine import Categorical
    from tests.building import one_job

    past = history(space={"a": Categorical(["x", "y"])})
    for value in ("x", "y"):
        verdict = SearchSpaceExhausted().check(past)
        assert verdict.outlook is Outlook.CONTINUE
        assert verdict.would_change.startswith(
            f"It ends the job after {'2 other' if value == 'x' else '1 other'} configuration"
        )
        for fact in one_job(past, 1.0, hyperparameters={"a": value}):
            past.record(fact)
    verdict = SearchSpaceExhausted().check(past)
    assert verdict.outlook is Outlook.DRAIN
    assert verdict.would_change.startswith("Nothing: a search space stays as it is.")


@pytest.mark.parametrize(
    ("kind", "value"), [(MaxNumberOfTrainingJobs, 0), (MaxRuntimeInSeconds, 0), (MaxRuntimeInSeconds, "1")]
)
def test_a_senseless_limit_is_refused(kind, value):
    with pytest.raises(InvalidSpec, match=r"must be a (whole )?number"):
        kind(value)
