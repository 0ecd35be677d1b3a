"""Tuner: ask, tell, report, observe, verdict, for people who own their loop. A History and a Policy, nothing else.

tuner = alfine.Tuner(space, goal="Minimize", criteria=[alfine.ConvergenceDetected()])
while training_job := tuner.ask():
    tuner.tell(training_job, train(**training_job.hyperparameters))
print(tuner.best, tuner.verdict.sentence)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from numbers import Integral
from pathlib import Path
from typing import Any

from alfine.api import parents
from alfine.api.job_words import job_request
from alfine.api.parents import Parent
from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.fields import Face
from alfine.core.history import Ended, History, Launched, Reported, Started, StopAsked, TrainingJob, with_space
from alfine.core.judge import Judge
from alfine.core.messages import spelling
from alfine.core.policy import CompletionCriterion, Outlook, Suggestion, Verdict
from alfine.core.ranges import Range
from alfine.core.read_spec import read_spec
from alfine.core.replay import Replayed, replay
from alfine.core.spec import IDENTICAL, TuningJobSpec
from alfine.criteria import Given, can_be_kept, check_demands, criteria_of
from alfine.criteria.forecast import Forecast, forecast_of
from alfine.criteria.limits import MaxNumberOfTrainingJobs, SearchSpaceExhausted
from alfine.jobs.analysis.export_table import dataframe
from alfine.jobs.policy_for import policy_for, with_criteria
from alfine.surrogate import parent_evidence
from alfine.surrogate.best_estimate import Estimate, estimate
from alfine.surrogate.space_diagnosis import Remark, remarks


def utc_now() -> datetime:
    """By a name of its own, so that a Tuner can be pickled."""
    return datetime.now(UTC)


class Tuner:
    """Suggests what to train next, hears how it went, and says when to stop.

    space: name -> alfine.Continuous, Integer or Categorical. strategy: Bayesian, Random, Grid or Hyperband (which takes
    min_resource and max_resource). criteria: the first that is met ends the tuning; as they are, or as text,
    "BestObjectiveNotImproving 10". max_training_jobs: `ask` has nothing more once there are so many, observed ones included; without
    it there is no such limit.
    max_parallel: how many training jobs you mean to run at once; `ask` doesn't enforce it. forbid: combinations that are never
    tried, as {"optimizer": "sgd", "lr": "> 0.5"}. start_with: a configuration, or a list of them, to try first. warm_start: what
    earlier tuning found, as of alfine.tune (tuning jobs by name are looked up in `home`), and other Tuners. repeats: run the
    best again in the end, {"best": 3, "times": 5}. early_stopping: «Auto» lets `report` stop weak training jobs.
    price_per_hour: of what a training job runs on, for MaxCost and MarginalValue.
    Same seed and same calls, same suggestions. Nothing is stored (for that, see alfine.tune), but a Tuner can be pickled.
    """

    def __init__(
        self,
        space: Mapping[str, Range],
        *,
        goal: str = "Minimize",
        metric: str = "objective",
        strategy: str = "Bayesian",
        criteria: Given = (),
        max_training_jobs: int | None = None,
        max_parallel: int = 1,
        seed: int = 0,
        forbid: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] = (),
        start_with: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] = (),
        warm_start: Parent | Sequence[Parent] = (),
        warm_start_type: str = IDENTICAL,
        early_stopping: str = "Off",
        repeats: int | str | Mapping[str, int] | None = None,
        min_resource: int | None = None,
        max_resource: int | None = None,
        price_per_hour: float | None = None,
        home: str | Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        known = parents.listed(warm_start)
        criteria = criteria_of(criteria)
        request = job_request(
            name="tuner",
            space=space,
            metric=metric,
            goal=goal,
            strategy=strategy,
            criteria=_written(criteria),
            max_training_jobs=max_training_jobs,
            max_parallel=max_parallel,
            # Hyperband stops training jobs itself; AMT refuses to have both.
            early_stopping=early_stopping if max_resource is None else "Off",
            min_resource=min_resource,
            max_resource=max_resource,
            seed=seed,
            forbid=forbid,
            start_with=start_with,
            warm_start=parents.names(known),
            warm_start_type=warm_start_type,
            repeats=repeats,
            price_per_hour=price_per_hour,
        )
        with spelling(Face.TUNER):
            spec = with_space(read_spec(request), dict(space))
        self._clock, now = clock, clock()
        if now.tzinfo is None:
            raise InvalidSpec([Fault("clock", f"{now} must be an instant with its zone, as datetime.now(UTC) is.")])
        with spelling(Face.TUNER):
            inherited = parents.results(spec, known, home) if known else ()
            policy = policy_for(spec, _criteria(spec, criteria))
        self._judge = Judge(History(spec, now, inherited), policy)
        self._judge.judge()

    # -- the loop ------------------------------------------------------------------------------------------------

    def ask(self) -> TrainingJob | None:
        """The next training job to run: `number`, `hyperparameters`. None when the verdict isn't CONTINUE any more, or when
        a finite space has nothing left. With `repeats` then come the best again, as soon as all others have been told.
        """
        suggestion: Suggestion | None
        if self.verdict.outlook is Outlook.CONTINUE:
            suggestion = self._judge.policy.strategy.ask(self.history)
        else:
            suggestion = next(iter(self._judge.policy.decide(self.history, self.verdict).launches), None)
        return None if suggestion is None else self._launch(suggestion.hyperparameters, self._clock())

    def tell(
        self, training_job: TrainingJob | int, value: float | None = None, *, failed: str | None = None
    ) -> Verdict:
        """Say how a training job ended: its final objective, or why it failed. Answer the verdict that follows.

        An objective that isn't a finite number counts as a failure.
        """
        job = self._running(training_job)
        if (value is None) == (failed is None):
            raise InvalidSpec([Fault("tell", "give either the final objective or failed='reason', one of the two.")])
        self._end(job, value, failed, self._clock())
        return self.verdict

    def report(self, training_job: TrainingJob | int, step: float, value: float) -> bool:
        """Report an intermediate objective. True: stop this training job, then tell its last value.

        It's so once early stopping, or a verdict of STOP, asks for it. step: for readers of `reports`; values count in their order.
        """
        job = self._running(training_job)
        if math.isfinite(number := _number("a value", value)):
            metric = self.history.spec.metric
            self._record(Reported(at=self._clock(), number=job.number, metric=metric, step=step, value=number))
        verdict = self.verdict
        ends = () if verdict.outlook is Outlook.CONTINUE else self._judge.policy.decide(self.history, verdict).stops
        for stop in {stop.number: stop for stop in (*self._judge.due(), *ends)}.values():
            self._record(StopAsked(at=self._clock(), number=stop.number, reason=stop.reason))
        return job.status == "Stopping"

    def observe(
        self,
        hyperparameters: Mapping[str, Any],
        value: float | None = None,
        *,
        seconds: float = 0.0,
        failed: str | None = None,
    ) -> Verdict:
        """Add a result from elsewhere, as a training job that was launched, took `seconds`, and ended."""
        if (value is None) == (failed is None):
            raise InvalidSpec([Fault("observe", "give either the final objective or failed='reason', one of the two.")])
        if not _number("seconds", seconds) >= 0:
            raise InvalidSpec([Fault("seconds", f"{seconds!r} must be a number from 0 on.")])
        self.history.spec.space.check(hyperparameters)
        value = None if value is None else _number("the objective", value)
        now = self._clock()
        job = self._launch(dict(hyperparameters), now - timedelta(seconds=seconds))
        self._end(job, value, failed, now)
        return self.verdict

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def verdict(self) -> Verdict:
        """The strongest verdict, as of the last fact (and, for limits in time, as of now)."""
        self._let_time_pass()
        return self._judge.verdict

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each criterion's verdict."""
        self._let_time_pass()
        return self._judge.verdicts

    @property
    def history(self) -> History:
        return self._judge.history

    @property
    def best(self) -> TrainingJob | None:
        """The training job with the best objective; None before there is one."""
        return self.history.incumbent

    @property
    def overall_best(self) -> TrainingJob | None:
        """The same of all that tuned this function: with a warm start by IdenticalDataAndAlgorithm the parents', too, under number 0."""
        return self.history.overall_best

    @property
    def warm_start_sentence(self) -> str | None:
        """What becomes of what the parents found; None without parents."""
        return parent_evidence.sentence(self.history)

    @property
    def training_jobs(self) -> Sequence[TrainingJob]:
        """All of them, in order of launch."""
        return tuple(self.history.jobs)

    def dataframe(self) -> Any:
        """One row a training job (needs pandas)."""
        return dataframe(self.history)

    def forecast(self) -> Forecast:
        """What the rest of the budget would still bring, and when which criterion will end the tuning."""
        return forecast_of(self.history, self._judge.policy.criteria)

    @property
    def best_estimate(self) -> Estimate | None:
        """What the best is likely worth, with a 90 % interval: the best of noisy results was lucky, too. None before ten objectives."""
        return estimate(self.history)

    @property
    def space_remarks(self) -> tuple[Remark, ...]:
        """What the results tell of the search space: the best at the end of a range, no influence, too few combinations."""
        return remarks(self.history)

    def replay(self, criteria: Given) -> Replayed:
        """When these criteria would have ended the tuning so far; none: its own."""
        criteria = criteria_of(criteria)
        if not criteria:
            own = self._judge.policy
            return replay(self.history, own, changed=lambda _: own)
        spec = with_criteria(self.history.spec, _written(criteria))
        with spelling(Face.TUNER):
            policy = policy_for(spec, _criteria(spec, criteria))
        return replay(self.history, policy, under=self.history.under(spec))

    # -- underneath ----------------------------------------------------------------------------------------------

    def _launch(self, hyperparameters: dict[str, Any], at: datetime) -> TrainingJob:
        number = self.history.launches + 1
        self._record(Launched(at=at, number=number, name=f"tuner-{number:03d}", hyperparameters=hyperparameters))
        self._record(Started(at=at, number=number))
        return self.history.job(number)

    def _end(self, job: TrainingJob, value: float | None, failed: str | None, at: datetime) -> None:
        value = None if value is None else _number("the objective", value)
        if value is not None and not math.isfinite(value):
            failed = f"the objective {value} isn't a finite number"
        status = "Failed" if failed is not None else "Stopped" if job.status == "Stopping" else "Completed"
        objective = None if failed is not None or value is None else value
        self._record(Ended(at=at, number=job.number, status=status, objective=objective, failure_reason=failed))

    def _record(self, fact: Launched | Started | Reported | StopAsked | Ended) -> None:
        self._judge.record([fact])

    def _let_time_pass(self) -> None:
        if any(verdict.ask_again_at is not None for verdict in self._judge.verdicts):
            self._judge.look(self._clock())

    def _running(self, training_job: TrainingJob | int) -> TrainingJob:
        number = getattr(training_job, "number", training_job)
        if not isinstance(number, Integral) or not 1 <= int(number) <= self.history.launches:
            raise AlfineError(f"There is no training job {number!r}; {self.history.launches} have been asked for.")
        job = self.history.job(int(number))
        if not job.running:
            raise AlfineError(f"Training job {number} has already ended ({job.status}).")
        return job


def _number(what: str, value: Any) -> float:
    """Of Python's numbers, numpy's scalars, tensors of one element. Raise InvalidSpec for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        message = f"{what} must be a number, not {value!r:.100} ({type(value).__name__})."
        raise InvalidSpec([Fault("", message)]) from None


def _criteria(spec: TuningJobSpec, given: Sequence[CompletionCriterion]) -> Sequence[CompletionCriterion]:
    """The caller's criteria and limit, and no others: whoever owns the loop also decides about failures and quotas."""
    check_demands(spec, given)
    limit = None if spec.max_training_jobs is None else MaxNumberOfTrainingJobs.from_spec(spec)
    return (
        *given,
        *(each for each in (limit, SearchSpaceExhausted.from_spec(spec)) if each and each not in given),
    )


def _written(criteria: Sequence[CompletionCriterion]) -> list[CompletionCriterion]:
    """Those that a request can say; a Tuner judges others, too."""
    return [each for each in criteria if can_be_kept(each)]
