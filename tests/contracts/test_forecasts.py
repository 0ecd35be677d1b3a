"""What the forecast of every completion criterion owes: the right end where the end is certain, and never a wrong number."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from alfine import (
    AllOf,
    AnyOf,
    BestObjectiveNotImproving,
    Integer,
    MaxNumberOfTrainingJobs,
    NotBefore,
    Shadow,
    Steady,
)
from alfine.core.facts import TuningJobStopAsked
from alfine.core.history import History
from alfine.core.protocols import name_of, verdict_of
from alfine.core.read_spec import read_spec
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import criterion_from_text
from alfine.criteria.forecast import forecast_of
from alfine.criteria.future import PATHS, Forecastable, Future
from alfine.criteria.stop_requested import StopRequested
from alfine.jobs.policy_for import policy_for
from tests.building import EPOCH, SPACE, history, one_job, several
from tests.contracts.test_criteria import ALL

FALLING = [1.0 + 1.0 / n for n in range(1, 13)]
WORDS = {"max_training_jobs": 100, "price_per_hour": 3600.0}


def verdict(criterion, met, sentence):
    outlook = Outlook.STOP if met else Outlook.CONTINUE
    return Verdict(outlook=outlook, criterion=type(criterion).__name__, sentence=sentence)


@dataclass(frozen=True)
class EnoughTried:
    """As an author writes it who never heard of forecasts."""

    count: int

    def check(self, history):
        return verdict(self, history.ended >= self.count, f"{history.ended} of {self.count}.")


@dataclass(frozen=True)
class LongEnough(EnoughTried):
    def check(self, history):
        return verdict(self, history.elapsed_seconds >= self.count, f"{history.elapsed_seconds} s of {self.count}.")


@dataclass(frozen=True)
class Lucky(EnoughTried):
    """Its end depends on results: on how many are better than the first one by 5 %."""

    def check(self, history):
        values = history.observations()[1]
        return verdict(self, sum(values < 0.95 * values[:1]) >= self.count, ".")


@dataclass(frozen=True)
class Emitting(EnoughTried):
    def check(self, history):
        return verdict(self, sum(len(job.reports) for job in history.finished) >= self.count, ".")


@dataclass(frozen=True)
class Raising(EnoughTried):
    def check(self, history):
        raise KeyError(history.ended)


@dataclass(frozen=True)
class Foretold(Lucky):
    def ends(self, future):
        return 7 + 0.0 * future.improves.sum(1)


@dataclass(frozen=True)
class Misforetold(EnoughTried):
    def ends(self, future):
        raise KeyError(future.rem)


def forecast(*criteria, values=FALLING, **words):
    return forecast_of(history(values, **{**WORDS, **words}), criteria)


def test_every_criterion_of_alfines_own_says_when_it_ends():
    assert [type(criterion).__name__ for criterion in ALL if not isinstance(criterion, Forecastable)] == []
    assert not isinstance(EnoughTried(3), Forecastable)


@pytest.mark.parametrize("criterion", ALL, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("count", [0, 1, 12, 40])
def test_an_end_is_a_number_of_training_jobs_from_0_on_or_infinite_and_the_same_at_every_asking(criterion, count):
    values = [1.0 + 1.0 / n for n in range(1, count + 1)]
    first, again = (Future(history(values, **{**WORDS, "max_training_jobs": 40})).ends(criterion) for _ in range(2))
    assert first.shape == (PATHS,)
    assert not np.isnan(first).any()
    assert (first >= 0).all()
    assert (first == again).all()


CERTAIN = [
    "MaxNumberOfTrainingJobs 30",
    "MaxRuntimeInSeconds 33.5",
    "Deadline 28.5",
    "Deadline 2026-01-01T00:00:21.5+00:00",
    "MaxCost 25.5",
    "AllOf(MaxNumberOfTrainingJobs 20, MaxRuntimeInSeconds 27.5)",
    "AnyOf(MaxNumberOfTrainingJobs 20, MaxRuntimeInSeconds 27.5)",
    "NotBefore(MaxNumberOfTrainingJobs 15, training_jobs=22)",
    "Steady(MaxNumberOfTrainingJobs 15, times=4)",
]


@pytest.mark.parametrize("criterion", [*map(criterion_from_text, CERTAIN), EnoughTried(15), LongEnough(33)], ids=str)
def test_an_end_that_no_result_can_change_is_forecast_as_it_comes(criterion):
    past = history(FALLING, **WORDS)
    low, middle, high = forecast_of(past, [criterion]).training_jobs
    came = 0
    while criterion.check(past).outlook is Outlook.CONTINUE:
        for fact in one_job(past, 1.5):
            past.record(fact)
        came += 1
    assert low == middle == high
    assert abs(middle - came) < 1.0  # limits of time and money are met within a training job
    if isinstance(criterion, EnoughTried | MaxNumberOfTrainingJobs | Steady | NotBefore):
        assert middle == came


def test_a_criterion_of_another_package_is_asked_itself():
    assert forecast(EnoughTried(15), MaxNumberOfTrainingJobs(100)).training_jobs == (3, 3, 3)
    assert forecast(EnoughTried(15), MaxNumberOfTrainingJobs(100)).chances == {"EnoughTried": 1.0}
    assert forecast(EnoughTried(12)).training_jobs == (0, 0, 0)
    assert forecast(EnoughTried(100_000), MaxNumberOfTrainingJobs(100)).training_jobs == (88, 88, 88)
    assert forecast(EnoughTried(15), values=()).training_jobs == (15, 15, 15)
    assert forecast(LongEnough(20), max_parallel=4).training_jobs == (32, 32, 32)


def test_what_its_parts_are_is_forecast_in_criteria_made_of_others():
    assert forecast(AllOf(EnoughTried(15), EnoughTried(20))).training_jobs == (8, 8, 8)
    assert forecast(NotBefore(Steady(EnoughTried(15), times=2), training_jobs=14)).training_jobs == (4, 4, 4)
    assert forecast(Shadow(EnoughTried(15)), MaxNumberOfTrainingJobs(50)).training_jobs == (38, 38, 38)


@pytest.mark.parametrize(
    "criterion",
    [
        Lucky(20),
        Emitting(30),
        Raising(1),
        Misforetold(15),
        AllOf(Lucky(20), EnoughTried(20)),
        AnyOf(Lucky(20), EnoughTried(20)),
        Steady(Lucky(20)),
        NotBefore(Lucky(20), training_jobs=50),
    ],
    ids=lambda criterion: str(criterion)[:60],
)
def test_an_end_that_cannot_be_told_is_said_to_be_unknown_and_no_number_is_given(criterion):
    found = forecast(criterion, MaxNumberOfTrainingJobs(100), BestObjectiveNotImproving(9))
    assert found.unknown == (name_of(criterion),)
    assert (found.training_jobs, found.seconds, found.money, dict(found.chances)) == (None, None, None, {})
    assert found.gain is not None
    assert json.loads(json.dumps(found.as_dict()))["Unknown"] == [name_of(criterion)]


@pytest.mark.parametrize(
    "whole", [lambda part: part, lambda part: AllOf(part, EnoughTried(20))], ids=["itself", "inside AllOf"]
)
@pytest.mark.parametrize(("part", "error"), [(Raising(1), "KeyError: 12"), (Misforetold(15), "KeyError: 88")])
def test_what_a_criterion_raises_when_it_is_asked_for_its_end_is_told(part, error, whole):
    found = forecast(whole(part), MaxNumberOfTrainingJobs(100))
    reason = f"{name_of(whole(part))} may end the job at any time; {name_of(part)} raised {error}"
    assert found.as_dict()["UnknownReason"] == found.unknown_reason == reason


def test_too_far_off_to_be_simulated_is_unknown_not_never():
    assert forecast(EnoughTried(700), max_training_jobs=None).unknown == ("EnoughTried",)
    assert forecast(EnoughTried(200), max_training_jobs=None).training_jobs == (188, 188, 188)


def test_what_ends_a_finite_space_that_is_followed_by_repeats_is_not_simulated():
    few, repeats = {"space": {"depth": Integer(1, 9)}, "max_training_jobs": None}, {"repeats": "best=1 times=1"}
    assert forecast(EnoughTried(15), values=(), **few, **repeats).unknown == ("EnoughTried",)
    assert forecast(EnoughTried(5), values=(), **few).training_jobs == (5, 5, 5)
    assert forecast(EnoughTried(15), values=(), **repeats).unknown == ()


def test_a_criterion_of_another_package_has_one_end_for_each_path():
    future = Future(history([1.0, 2.0], **WORDS))
    ends = future.never(), future.unknown(), future.after(2.5), future.after(-1), future.after_improvement(0.5)
    assert [end.shape for end in ends] == [(PATHS,)] * 5
    assert np.isnan(future.unknown()).all()
    assert [end[7] for end in (future.never(), *ends[2:])] == [np.inf, 2.5, 0.0, np.inf]
    assert (Future(history(FALLING, **WORDS)).after_improvement(0.0) == 1).all()


def test_what_a_criterion_of_another_package_foretells_is_taken():
    assert forecast(Foretold(3)).training_jobs == (7, 7, 7)


def test_a_job_whose_training_jobs_have_all_failed_so_far_has_no_known_end():
    past = history([None, None], max_training_jobs=50)
    assert forecast_of(past, policy_for(past.spec).criteria).unknown == ("NoTrainingJobSucceeded",)
    assert forecast_of(history(max_training_jobs=50), policy_for(past.spec).criteria).training_jobs == (50, 50, 50)


def test_simulated_training_jobs_belong_to_definitions_and_leave_the_history_as_it_was():
    past = History(read_spec(several({"space": SPACE}, {"space": SPACE}, max_training_jobs=40)), EPOCH)
    for name in ("a", "b", "a"):
        for fact in one_job(past, 1.0, definition=name):
            past.record(fact)
    running = one_job(past, 1.0, definition="b")[:2]
    for fact in running:
        past.record(fact)
    before = (len(past.facts), past.ended, dict(past.running), past.now)
    assert forecast_of(past, [EnoughTried(15)]).training_jobs == (12, 12, 12)
    assert (len(past.facts), past.ended, dict(past.running), past.now) == before


def test_the_less_a_gain_is_worth_the_sooner_it_isnt_worth_its_cost():
    past = history([1.0 + 2.0 / n for n in range(1, 31)], **WORDS)
    ends = [Future(past).ends(criterion_from_text(f"MarginalValue {worth}")) for worth in (1e-6, 0.3, 3, 1e9)]
    shares = [float(np.isfinite(end).mean()) for end in ends]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.0
    assert np.median(ends[0]) == 1


def test_the_forecast_of_a_gain_that_isnt_worth_its_cost_is_where_it_comes_about():
    """On a search that improves no more: the rule is met within the range that was forecast."""
    criterion = criterion_from_text("MarginalValue 40")
    past = history([1.0 + 2.0 / n for n in range(1, 31)], **WORDS)
    assert criterion.check(past).outlook is Outlook.CONTINUE
    ends = np.quantile(Future(past).ends(criterion), (0.02, 0.98))
    came = 0
    while verdict_of(criterion, past).outlook is Outlook.CONTINUE and past.ended < 99:
        for fact in one_job(past, 2.0):
            past.record(fact)
        came += 1
    assert ends[0] <= came <= ends[1]


def test_a_stop_that_was_asked_for_is_the_end_at_once():
    past = history([1.0 + 2.0 / n for n in range(1, 9)], **WORDS)
    assert np.isinf(Future(past).ends(StopRequested())).all()
    past.record(TuningJobStopAsked(at=past.now))
    assert not Future(past).ends(StopRequested()).any()
