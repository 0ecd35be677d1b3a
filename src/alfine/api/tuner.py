"""Tuner: suggestions and verdicts for people who have their own training loop. Nothing is kept: see `alfine.tune` for that."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from numbers import Integral
from pathlib import Path
from threading import RLock
from typing import Any

from alfine.api import parents
from alfine.api.given_values import Curve, curve_of, limit_of, number_of_caller
from alfine.api.job_words import job_request
from alfine.api.parents import Parent
from alfine.api.results import Results
from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.facts import Ended, Launched, Reported, Started, StopAsked
from alfine.core.field import Face
from alfine.core.fields import fields_among
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.messages import spelling
from alfine.core.protocols import CompletionCriterion
from alfine.core.range_protocol import Range
from alfine.core.read_spec import read_spec
from alfine.core.replay import Replayed, replay
from alfine.core.space import Hyperparameters
from alfine.core.spec import IDENTICAL, TuningJobSpec, with_space
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook, Verdict
from alfine.criteria import Given, can_be_kept, check_demands, criteria_of
from alfine.criteria.forecast import Forecast, forecast_of
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.search_space_exhausted import SearchSpaceExhausted
from alfine.jobs.change_request import with_criteria
from alfine.jobs.policy_for import policy_for

REPEATED = 6
"""Stream of the random draws for a configuration that was tried before, where the space isn't exhaustive."""

log = logging.getLogger("alfine.api.tuner")


def utc_now() -> datetime:
    """Return the time now. It has a name, so that a Tuner can be pickled."""
    return datetime.now(UTC)


class Tuner(Results):
    """Suggests which configuration to train next, and says when to stop.

    You train; a Tuner is told how it went. The same seed and the same calls give the same suggestions. Nothing is kept
    on disk, but a Tuner can be pickled. Several threads may use one Tuner: its calls follow one after the other.

    Args:
        space: The hyperparameters to tune, each with its range. For example `{"eta": alfine.Continuous(0.01, 1)}`.
        goal: Whether to `Minimize` or `Maximize` the objective metric.
        metric: The name of the objective metric.
        strategy: How configurations are chosen: `Bayesian`, `Random`, `Grid` or `Hyperband`. Hyperband needs
            `max_resource`.
        criteria: Completion criteria: the first one that is met ends the job, even before its limits do. Objects such
            as `alfine.ConvergenceDetected()`, or texts such as `"BestObjectiveNotImproving 10"`.
        max_training_jobs: Launch at most this many training jobs. Then `ask` returns None. Observed ones count. None
            means no limit.
        max_parallel: Run at most this many training jobs at the same time. You run them: `ask` doesn't enforce it.
        seed: The random seed: the same seed and the same results give the same configurations.
        forbid: Combinations of values that are never tried, such as `optimizer = sgd and lr > 0.5`: one or a list of
            them. Also as `{"optimizer": "sgd", "lr": "> 0.5"}`.
        start_with: Configurations to evaluate first, such as the defaults in use today (`eta = 0.3 and depth = 6`): one
            or a list of them. Also as `{"eta": 0.3, "depth": 6}`.
        warm_start: Earlier results to begin with: an ended tuning job of the same home, a table of results
            (`runs.csv`), or a list of these, of any length. Also other Tuners. A tuning job is given by its name, and
            is then looked up in `home`, or as a Job.
        warm_start_type: `IdenticalDataAndAlgorithm`, or `TransferLearning` when the earlier jobs had other data or
            another program.
        early_stopping: `Auto` stops training jobs whose learning curve leaves them hardly a chance to become the best;
            `Off` stops none. `report` says which.
        repeats: Run the best configurations again before the job ends, and choose the best average: how many
            configurations and how many times, as `best=3 times=5`, or the number of times alone. Also as
            `{"best": 3, "times": 5}`.
        min_resource: Hyperband: no training job is stopped before it has reported this many values of the metric.
        max_resource: Hyperband: each training job is stopped once it has reported this many values of the metric.
        price_per_hour: The price of one instance an hour, in US dollars: for the cost, and for criteria about money.
        exhaustive: Whether the search space is all that there is to try. False is for a space that is only a part of what
            somebody else searches: then the tuning doesn't end when a finite space has been tried, `ask` repeats
            configurations instead, and `max_training_jobs` may be more than there are configurations.
        home: The folder in which parents are looked up by name; default `$ALFINE_HOME`, else `~/.alfine`.
        clock: Returns the time now, with its time zone.

    Raises:
        InvalidSpec: The arguments can't be understood, or contradict each other.

    Example:
        >>> tuner = alfine.Tuner({"eta": alfine.Continuous(0.01, 1)}, criteria=[alfine.ConvergenceDetected()])
        >>> while training_job := tuner.ask():
        ...     tuner.tell(training_job, train(**training_job.hyperparameters))
        >>> tuner.best, tuner.verdict.sentence
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
        exhaustive: bool = True,
        home: str | Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        given = fields_among(locals())
        known = parents.listed(warm_start)
        criteria = criteria_of(criteria)
        given |= {"name": "tuner", "warm_start": parents.names(known), "criteria": _written(criteria)}
        if max_resource is not None:
            given["early_stopping"] = "Off"  # Hyperband stops training jobs itself, and AMT refuses to have both
        limit = None if exhaustive else limit_of(given.pop("max_training_jobs", None))
        request = job_request(**given)
        with spelling(Face.TUNER):
            spec = with_space(read_spec(request), dict(space))
        if not exhaustive:  # after the check that a space has as many configurations as the limit asks for
            spec = replace(spec, exhaustive=False, max_training_jobs=limit)
        self._lock = RLock()
        self._clock, now = clock, clock()
        if now.tzinfo is None:
            raise InvalidSpec([Fault("clock", f"{now} must be an instant with its zone, as datetime.now(UTC) is.")])
        with spelling(Face.TUNER):
            inherited = parents.results(spec, known, home) if known else ()
            policy = policy_for(spec, _criteria(spec, criteria))
        self._judge = Judge(History(spec, now, inherited), policy)
        self._judge.judge()

    # -- the loop ------------------------------------------------------------------------------------------------

    def ask(self, *, running: Iterable[Mapping[str, Any]] = (), stream: int | None = None) -> TrainingJob | None:
        """Return the next training job to run.

        Args:
            running: Configurations that run elsewhere, beside the Tuner's own: the suggestion keeps away from them. They
                aren't recorded; `begin` records one.
            stream: A number from 0 on that this suggestion's random draws are addressed by, instead of the number of
                launched training jobs. Give another one in each process where several with the same results ask at
                the same time: otherwise all get the same suggestion.

        Returns:
            A training job with its `number` and `hyperparameters`; None when the verdict isn't CONTINUE any more, or
            when every configuration of a finite space has been tried. With `repeats` the best configurations follow
            then, once the results of all other training jobs are known.

        Raises:
            InvalidSpec: A running configuration isn't one of the search space.
        """
        with self._lock:
            hyperparameters = self.suggest(running=running, stream=stream)
            return None if hyperparameters is None else self._launch(hyperparameters, self._clock())

    def suggest(
        self, *, running: Iterable[Mapping[str, Any]] = (), stream: int | None = None
    ) -> Hyperparameters | None:
        """Return the configuration that `ask` would launch, and record nothing.

        Args:
            running: As of `ask`.
            stream: As of `ask`.
        """
        with self._lock:
            history = self._with_running(running, stream)
            if self.verdict.outlook is not Outlook.CONTINUE:
                repeat = next(iter(self._judge.policy.decide(history, self.verdict).launches), None)
                return None if repeat is None else repeat.hyperparameters
            suggestion = self._judge.policy.strategy.ask(history)
            if suggestion is not None:
                return suggestion.hyperparameters
            spec = history.spec
            return None if spec.exhaustive else spec.space.sample(history.rng(REPEATED))

    def begin(self, hyperparameters: Mapping[str, Any], *, at: datetime | None = None) -> TrainingJob:
        """Record the launch of a training job that somebody else chose, and return it: then `report` and `tell`.

        Args:
            hyperparameters: The configuration, which must lie in the search space.
            at: When it began, with its time zone; now by default.

        Raises:
            InvalidSpec: The configuration isn't one of the search space.
        """
        with self._lock:
            self.history.spec.space.check(hyperparameters)
            return self._launch(dict(hyperparameters), self._instant(at))

    def tell(
        self, training_job: TrainingJob | int, value: float | None = None, *, failed: str | None = None
    ) -> Verdict:
        """Record how a training job ended, and return the verdict that follows.

        Args:
            training_job: The training job that `ask` returned, or its number.
            value: Its final objective. One that isn't a finite number counts as a failure, which is logged as a warning: as
                in a script's log, NaN and infinities are no values.
            failed: Why it failed. Give either this or `value`.

        Raises:
            AlfineError: There is no such training job, or it has already ended.
        """
        with self._lock:
            job = self._running(training_job)
            if (value is None) == (failed is None):
                message = "give either the final objective or failed='reason', one of the two."
                raise InvalidSpec([Fault("tell", message)])
            self._end(job, value, failed, self._clock())
            return self.verdict

    def report(self, training_job: TrainingJob | int, step: float, value: float) -> bool:
        """Record an intermediate objective, and return whether this training job should stop.

        Args:
            training_job: The training job that `ask` returned, or its number.
            step: When the value was reached, such as an epoch. It is only recorded: values count in the order of the
                calls.
            value: The objective so far. One that isn't a finite number doesn't count, which is logged as a warning.

        Returns:
            True when early stopping, or a verdict of STOP, ends this training job: then `tell` its last value.
        """
        with self._lock:
            job = self._running(training_job)
            self._report(job, step, value, self._clock())
            verdict = self.verdict
            ends = () if verdict.outlook is Outlook.CONTINUE else self._judge.policy.decide(self.history, verdict).stops
            for stop in {stop.number: stop for stop in (*self._judge.due(), *ends)}.values():
                self._record(StopAsked(at=self._clock(), number=stop.number, reason=stop.reason))
            return job.status == "Stopping"

    def would_stop(self, hyperparameters: Mapping[str, Any], curve: Curve) -> str | None:
        """Return why early stopping would stop a training job that runs elsewhere now; None when it wouldn't. Record nothing.

        Args:
            hyperparameters: Its configuration, which must lie in the search space.
            curve: Its intermediate objectives so far, as of `observe`.

        Raises:
            InvalidSpec: The configuration isn't one of the search space, or the curve can't be read.
        """
        with self._lock:
            history, metric = self._with_running([hyperparameters], None), self.history.spec.metric
            number, now = history.launches, self._clock()
            values = [(step, value) for step, value in curve_of(curve) if math.isfinite(value)]
            for step, value in values:
                history.record(Reported(at=now, number=number, metric=metric, step=step, value=value))
            stops = self._judge.policy.stops(history) if values else ()
            return next((stop.reason for stop in stops if stop.number == number), None)

    def observe(
        self,
        hyperparameters: Mapping[str, Any],
        value: float | None = None,
        *,
        seconds: float = 0.0,
        failed: str | None = None,
        curve: Curve = (),
        stopped: bool = False,
        at: datetime | None = None,
        clip: bool = False,
    ) -> Verdict:
        """Record a result from elsewhere as a training job that has ended, and return the verdict that follows.

        Args:
            hyperparameters: The configuration, which must lie in the search space. `{}` stands for the unknown one of a
                training job that failed.
            value: Its final objective; without it the last value of `curve` counts. One that isn't a finite number
                counts as a failure, which is logged as a warning.
            seconds: How long the training took.
            failed: Why it failed. Give either this or a value.
            curve: Its intermediate objectives in order: a list of values, or a mapping from step to value. Early stopping
                learns from them.
            stopped: Whether somebody stopped it before its end, so that its last value is no final one.
            at: When it ended, with its time zone; now by default. Limits in time count from the Tuner's creation.
            clip: Whether to move numbers that lie outside the search space to the nearest value in it, instead of
                refusing them: for results of a search whose ranges were other ones.

        Raises:
            InvalidSpec: The configuration isn't one of the search space, or the result can't be understood.
        """
        with self._lock:
            values = curve_of(curve)
            if value is None and failed is None and values:
                value = values[-1][1]
            if (value is None) == (failed is None):
                message = "give either the final objective or failed='reason', one of the two."
                raise InvalidSpec([Fault("observe", message)])
            if not number_of_caller("seconds", seconds) >= 0:
                raise InvalidSpec([Fault("seconds", f"{seconds!r} must be a number from 0 on.")])
            space = self.history.spec.space
            hyperparameters = space.clipped(hyperparameters) if clip else hyperparameters
            if hyperparameters or failed is None:
                space.check(hyperparameters)
            value = None if value is None else number_of_caller("the objective", value)
            end = self._instant(at)
            job = self._launch(dict(hyperparameters), end - timedelta(seconds=seconds))
            for step, intermediate in values:
                self._report(job, step, intermediate, end)
            self._end(job, value, failed, end, stopped=stopped)
            return self.verdict

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def verdict(self) -> Verdict:
        """The verdict that is nearest to an end, after everything that was recorded. Limits in time are checked now."""
        with self._lock:
            self._let_time_pass()
            return self._judge.verdict

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of each completion criterion."""
        with self._lock:
            self._let_time_pass()
            return self._judge.verdicts

    @property
    def history(self) -> History:
        """Everything that was recorded: the facts, in order, and what follows from them.

        `history.facts` has what happened, as `alfine.Launched`, `Started`, `Reported`, `StopAsked` and `Ended`;
        `history.jobs`, `running`, `finished` and `incumbent` are read from these. The history grows with every call:
        read it, and change nothing.
        """
        return self._judge.history

    def forecast(self) -> Forecast:
        """Return what further training jobs would probably improve, and which criterion will probably end the tuning, and when."""
        with self._lock:
            return forecast_of(self.history, self._judge.policy.criteria)

    def replay(self, criteria: Given) -> Replayed:
        """Return when other completion criteria would have ended the tuning so far.

        Args:
            criteria: Completion criteria, as in the constructor; none of them replays the Tuner's own.
        """
        criteria = criteria_of(criteria)
        with self._lock:
            if not criteria:
                own = self._judge.policy
                return replay(self.history, own, changed=lambda _: own)
            spec = with_criteria(self.history.spec, _written(criteria))
            with spelling(Face.TUNER):
                policy = policy_for(spec, _criteria(spec, criteria))
            return replay(self.history, policy, under=self.history.under(spec))

    # -- underneath ----------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = RLock()

    def _with_running(self, running: Iterable[Mapping[str, Any]], stream: int | None) -> History:
        """Return the history that a strategy is asked with: the Tuner's own where nothing else runs."""
        configurations = [dict(hyperparameters) for hyperparameters in running]
        if stream is not None and (isinstance(stream, bool) or not isinstance(stream, Integral) or stream < 0):
            raise InvalidSpec([Fault("stream", f"{stream!r} must be a whole number from 0 on.")])
        if not configurations and stream is None:
            return self.history
        for hyperparameters in configurations:
            self.history.spec.space.check(hyperparameters)
        return self.history.with_running(configurations, None if stream is None else int(stream))

    def _instant(self, at: datetime | None) -> datetime:
        """Return an instant that a caller gave, and now without one. Raise InvalidSpec for one without a time zone."""
        if at is not None and at.tzinfo is None:
            raise InvalidSpec([Fault("at", f"{at} must be an instant with its zone, as datetime.now(UTC) is.")])
        return self._clock() if at is None else at

    def _report(self, job: TrainingJob, step: float, value: float, at: datetime) -> None:
        if math.isfinite(number := number_of_caller("a value", value)):
            metric = self.history.spec.metric
            self._record(Reported(at=at, number=job.number, metric=metric, step=step, value=number))
        else:
            log.warning("training job %d: the value %s isn't a finite number and doesn't count", job.number, number)

    def _launch(self, hyperparameters: dict[str, Any], at: datetime) -> TrainingJob:
        number = self.history.launches + 1
        self._record(Launched(at=at, number=number, name=f"tuner-{number:03d}", hyperparameters=hyperparameters))
        self._record(Started(at=at, number=number))
        return self.history.job(number)

    def _end(
        self, job: TrainingJob, value: float | None, failed: str | None, at: datetime, *, stopped: bool = False
    ) -> None:
        value = None if value is None else number_of_caller("the objective", value)
        if value is not None and not math.isfinite(value):
            failed = f"the objective {value} isn't a finite number"
            log.warning("training job %d counts as failed: %s", job.number, failed)
        status = "Failed" if failed is not None else "Stopped" if stopped or job.status == "Stopping" else "Completed"
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


def _criteria(spec: TuningJobSpec, given: Sequence[CompletionCriterion]) -> Sequence[CompletionCriterion]:
    """Return the caller's criteria and limit, and no others: whoever has the loop also decides about failures and quotas."""
    check_demands(spec, given)
    limit = None if spec.max_training_jobs is None else MaxNumberOfTrainingJobs.from_spec(spec)
    return (
        *given,
        *(each for each in (limit, SearchSpaceExhausted.from_spec(spec)) if each and each not in given),
    )


def _written(criteria: Sequence[CompletionCriterion]) -> list[CompletionCriterion]:
    """Return the criteria that a request can have; a Tuner judges by others, too."""
    return [each for each in criteria if can_be_kept(each)]
