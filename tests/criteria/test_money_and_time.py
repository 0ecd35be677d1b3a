"""MaxCost, MarginalValue, Deadline; and what becomes of running training jobs at the end."""

import pytest

from alfine import (
    ConvergenceDetected,
    Deadline,
    InvalidSpec,
    MarginalValue,
    MaxCost,
    Shadow,
    TargetObjectiveMetricValue,
)
from alfine.core.facts import Launched, Reported, Started, TuningJobStopAsked
from alfine.core.judge import Judge
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook
from alfine.criteria import criteria_for
from alfine.jobs.policy_for import policy_for, replayed
from tests.building import at, history, one_job, request, spec

HOURLY = 3600.0  # one a second


def running(past, *reports, seconds=0.0):
    """The history with one more training job, which still runs."""
    number = past.launches + 1
    metric = past.spec.metric
    point = past.spec.space.sample(past.rng(98))
    past.record(Launched(at=past.now, number=number, name=f"job-{number:03d}", hyperparameters=point))
    past.record(Started(at=past.now, number=number))
    for step, value in enumerate(reports, 1):
        past.record(Reported(at=past.now, number=number, metric=metric, step=step, value=value))
    past.now = at((past.now - at(0)).total_seconds() + seconds)
    return past


# -- money ---------------------------------------------------------------------------------------------------------------


def test_no_training_job_is_started_that_the_money_doesnt_suffice_for():
    ended = replayed(history([1.0] * 9, price_per_hour=HOURLY), [MaxCost(4.5)])
    assert ended.training_jobs == 4
    assert ended.verdict.outlook is Outlook.DRAIN
    money = {"spent": 4.0, "limit": 4.5, "with_the_next": 5.0, "mean_of_a_training_job": 1.0, "left": 0.5}
    assert ended.verdict.evidence == {**money, "training_jobs_left": 0}
    assert ended.verdict.progress == 1.0
    assert MaxCost(10).check(history([1.0], price_per_hour=HOURLY)).progress == pytest.approx(0.2)


def test_money_runs_out_by_time_alone_first_for_another_training_job_then_for_what_runs():
    """The one that runs has begun after 2 seconds and lasts longer than the mean of 1 second: each second costs 1."""
    past, seen = running(history([1.0, 1.0], price_per_hour=HOURLY)), []
    while not seen or seen[-1][1] is not Outlook.STOP:
        verdict = MaxCost(10).check(past)
        seen.append((round((past.now - at(0)).total_seconds(), 3), verdict.outlook))
        past.now = verdict.ask_again_at or past.now
    assert seen[1:] == [(9.0, Outlook.CONTINUE), (9.0, Outlook.DRAIN), (10.0, Outlook.STOP)]


@pytest.mark.parametrize("criterion", [MaxCost(5), MarginalValue(5)], ids=["MaxCost", "MarginalValue"])
def test_money_needs_a_price(criterion):
    with pytest.raises(
        InvalidSpec,
        match=r"needs the price of an instance of type local: the tag alfine:price-per-hour, or .*alfine.toml",
    ):
        policy_for(spec(criteria=[criterion]))


def test_marginal_value_ends_early_where_gains_are_worth_little_and_late_where_they_are_worth_much():
    falling = [1.0 / n for n in range(1, 41)]
    words = {"price_per_hour": HOURLY, "max_training_jobs": 60}
    stingy, generous = (replayed(history(falling, **words), [MarginalValue(worth)]) for worth in (1e-6, 1e6))
    assert stingy.training_jobs == 10
    assert stingy.verdict.outlook is Outlook.STOP
    assert stingy.verdict.evidence["value_of_expected_gain"] < stingy.verdict.evidence["cost"]
    assert generous.training_jobs == 40


def test_marginal_value_weighs_the_gain_of_1_2_5_10_and_more_training_jobs_up_to_all_that_are_left():
    past = history([1.0 + 2.0 / n for n in range(1, 21)], price_per_hour=HOURLY, max_training_jobs=640)
    worths = (1.0, 25.0, 37.0, 58.0, 98.0, 180.0, 360.0, 750.0, 1500.0, 3000.0)
    best = [MarginalValue(worth).check(past).evidence["horizon"] for worth in worths]
    assert best == [1, 2, 5, 10, 20, 50, 100, 200, 500, 620]


def test_marginal_value_says_when_the_budget_is_used_up():
    past = history([1.0] * 12, price_per_hour=HOURLY, max_training_jobs=12)
    assert (
        MarginalValue(4).check(past).sentence
        == "The budget is used up: no training job is left that could be worth its cost."
    )


# -- time ----------------------------------------------------------------------------------------------------------------


def test_nothing_is_started_that_would_hardly_end_before_the_deadline():
    ended = replayed(history([1.0] * 9), [Deadline(5.5)])
    assert (ended.training_jobs, ended.verdict.outlook) == (5, Outlook.DRAIN)


def test_at_the_deadline_what_runs_is_stopped():
    past = running(history([1.0] * 2), seconds=4)
    verdict = Deadline("2026-01-01T00:00:08Z").check(past)
    assert verdict.outlook is Outlook.CONTINUE
    assert verdict.ask_again_at == at(7)
    past.now = at(8)
    assert Deadline("2026-01-01T01:00:08+01:00").check(past).outlook is Outlook.STOP


@pytest.mark.parametrize("when", [at(8), "2026-01-01 00:00:08+00:00"])
def test_an_instant_may_be_a_datetime_or_have_a_space(when):
    past = history([1.0] * 7)
    asked = read_spec(request(criteria=[Deadline(when), Shadow(Deadline(when))]))
    for criterion in (Deadline(when), Deadline.from_spec(asked)):
        assert criterion.check(past).evidence["seconds_left"] == 1.0
    assert [each.criterion for each in criteria_for(asked) if isinstance(each, Shadow)] == [Deadline(when)]


def test_active_time_leaves_interruptions_out():
    past = history([1.0] * 3)
    past.now = at(1000)  # nothing ran since the third second
    assert Deadline(100).check(past).outlook is Outlook.STOP
    assert Deadline(100, active=True).check(past).evidence["seconds_left"] == 97.0
    running(past, seconds=10)
    assert Deadline(100, active=True).check(past).evidence["seconds_left"] == 87.0


def test_active_time_counts_fractions_of_a_second():
    past = history()
    for seconds in (0.25, 0.5):
        for fact in one_job(past, 1.0, seconds=seconds):
            past.record(fact)
    assert Deadline(100, active=True).check(past).evidence["seconds_left"] == 99.25


def test_active_time_counts_parallel_training_jobs_once():
    past = running(running(history([1.0])), seconds=5)
    assert Deadline(100, active=True).check(past).evidence["seconds_left"] == 94.0


@pytest.mark.parametrize(
    ("when", "why"),
    [
        *(("2026-01-01T00:00", "with its zone"), ("tomorrow", "must be an instant"), (0, "above 0"), (-1.0, "above 0")),
        *(("9999-12-31T23:59-12:00", "must be an instant"), ("0001-01-01T00:00+12:00", "must be an instant")),
        *(("9" * 400, "must be an instant"), (10**400, "must be a number of seconds")),
    ],
)
def test_a_deadline_that_isnt_one_is_refused(when, why):
    with pytest.raises(InvalidSpec, match=why):
        Deadline(when)


def test_a_point_in_time_has_no_active_time():
    with pytest.raises(InvalidSpec, match="needs a number of seconds"):
        Deadline("2026-01-01T00:00:08Z", active=True)


# -- what becomes of running training jobs -----------------------------------------------------------------------------


def stopped(at_end, *curves):
    """The numbers of the running training jobs that are stopped when the first, with curve 3, 2, 0, meets the target."""
    words = {"criteria": [TargetObjectiveMetricValue(0.0)], "max_parallel": 4, **({"at_end": at_end} if at_end else {})}
    past = history([], **words)
    for fact in one_job(past, 0.0, reports=[3.0, 2.0, 0.0]):
        past.record(fact)
    for curve in curves:
        running(past, *curve)
    policy = policy_for(past.spec)
    judge = Judge(past.under(past.spec), policy)
    judge.record(past.facts)
    return [stop.number for stop in policy.decide(judge.history, judge.verdict).stops]


def test_running_training_jobs_are_stopped_or_finish_or_finish_if_they_may_win():
    curves = [(), (3.5,), (2.5,), (4.0, 2.5), (4.0, 1.5)]
    assert stopped(None, *curves) == [2, 3, 4, 5, 6]
    assert stopped("drain", *curves) == []
    assert stopped("contenders", *curves) == [3, 5]


def test_the_users_own_stop_spares_nobody():
    past = running(history([], at_end="drain", max_parallel=2))
    past.record(TuningJobStopAsked(at=past.now))
    policy = policy_for(past.spec)
    assert [stop.number for stop in policy.decide(past, policy.verdict(past)).stops] == [1]


def test_another_word_for_the_end_is_refused():
    with pytest.raises(InvalidSpec, match="'wait' isn't one of stop, drain, contenders"):
        policy_for(spec(at_end="wait", criteria=[ConvergenceDetected()]))


def test_a_training_job_is_taken_to_last_as_long_as_the_longest_tenth_of_the_last_50():
    past = history()
    for seconds in (*[1.0] * 46, *[9.0] * 5):
        for fact in one_job(past, 1.0, seconds=seconds):
            past.record(fact)
    assert Deadline(1000).check(past).evidence["next_training_job_seconds"] == 9.0


def test_a_deadline_says_how_many_training_jobs_can_still_end():
    unknown, known = Deadline(10).check(history()), Deadline(10).check(history([1.0] * 2))
    assert unknown.would_change == "How many training jobs can end in time is known once one has ended."
    assert known.would_change.startswith("About 8 more training jobs can end in time")
