"""Reports the progress of a training to alfine, in some 20 rounds: the part that all callbacks have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import alfine

log = logging.getLogger("alfine.callbacks")

Report = Callable[[float, float], bool]
"""What a function under `alfine.tune` gets as `report`: takes a step and a value, returns True when the training should end."""

Evaluations = Mapping[str, Mapping[str, Any]]
"""The metrics that a framework evaluated, by data set and name."""

REPORTS = 20
"""Reports of one training. More of them seldom stop a training earlier, and each costs a decision: a report every round costs more time than
it saves."""

EVERY = 5
"""Rounds between two reports where the number of rounds isn't known."""


class Reporter:
    """Reports intermediate values, and says when the training should end.

    Args:
        report: What to report to: the function that alfine.tune gives to yours, or `functools.partial(tuner.report, training_job)`. None
            is for a script that alfine runs: then each value is printed as `metric=value`, where alfine finds it.
        metric: The name of the metric, for what is printed.
        every: Report every so many rounds; None: 20 times in a training of `rounds`, or every 5 rounds.
        rounds: How many rounds the training has, if that's known.

    Attributes:
        stopped: Whether the training was asked to end. Then nothing is reported any more.

    Raises:
        AlfineError: `every` isn't a whole number from 1 on, or `report` can't be called.

    Example:
        >>> reporter = alfine.callbacks.Reporter(report, rounds=epochs)
        >>> for epoch in range(1, epochs + 1):
        ...     if reporter(epoch, train_one_epoch()):
        ...         break
    """

    def __init__(
        self,
        report: Report | None = None,
        *,
        metric: str = "objective",
        every: int | None = None,
        rounds: int | None = None,
    ) -> None:
        if report is not None and not callable(report):
            raise alfine.AlfineError(
                f"report: {report!r:.100} must be a function of a step and a value, or None in a script."
            )
        if every is not None and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
            raise alfine.AlfineError(f"every: {every!r:.100} must be a whole number from 1 on.")
        self.report, self.metric, self.every, self.rounds = report, metric, every, rounds
        self.stopped = False
        self._reported: float = 0
        self._unreported: tuple[float, Any] | None = None

    def __call__(self, step: float, value: Any, *, last: bool = False) -> bool:
        """Report a value if a report is due, and return whether the training should end.

        Args:
            step: The round, from 1.
            value: The metric so far.
            last: Whether it's the last round, which is always reported.
        """
        self._unreported = step, value
        is_due = step // self._interval != self._reported // self._interval
        return self.finish() if last or is_due else self.stopped

    def finish(self) -> bool:
        """Report the latest value, if it hasn't been, and return whether the training should end."""
        unreported, self._unreported = self._unreported, None
        if unreported is not None and not self.stopped:
            self._reported, value = unreported
            if self.report is None:
                print(f"{self.metric}={float(value)!r}", flush=True)  # noqa: T201 - the log is where alfine finds it
            else:
                self.stopped = bool(self.report(self._reported, float(value)))
        return self.stopped

    @property
    def _interval(self) -> int:
        return self.every or (max(1, round(self.rounds / REPORTS)) if self.rounds else EVERY)


class MetricCallback:
    """The base of the callbacks: reports one metric of those that a framework evaluates.

    Args:
        report: What to report to, as for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The name of the metric, as the framework has it. In a script it's also the name of the tuning job's metric.
        data: The data set, where the framework evaluates several.
        every: As for `Reporter`.
        rounds: As for `Reporter`.
    """

    remedy: ClassVar[str]
    """How to have evaluations, for the message where there are none."""

    def __init__(
        self,
        report: Report | None = None,
        *,
        metric: str | None = None,
        data: str | None = None,
        every: int | None = None,
        rounds: int | None = None,
    ) -> None:
        super().__init__()
        self.metric, self.data, self.rounds = metric, data, rounds
        self.reporter = Reporter(report, every=every, rounds=rounds)

    def report_metric(
        self, evaluations: Evaluations, step: float, *, metric: str | None = None, last: bool = False
    ) -> bool:
        """Report the metric of a round if a report is due, and return whether the training should end.

        Args:
            evaluations: The values by data set and metric, each in the order of the framework: of each metric its value, or those of all
                rounds. A framework that knows no data sets has one, without a name.
            step: The round, from 1.
            metric: The metric that is reported if the user chose none.
            last: Whether it's the last round.

        Raises:
            AlfineError: There is no such metric.
        """
        name, value = _chosen(evaluations, self.data, self.metric or metric, self.remedy)
        self.reporter.metric = name
        return self.reporter(step, _latest(value), last=last)

    def warn_of_progress_bar(self, remedy: str) -> None:
        """Say that a progress bar prints the metric, too, if alfine would find it in the log."""
        if self.reporter.report is None:
            log.warning(
                "The progress bar prints metrics, too: alfine would count them twice. Switch it off: %s.", remedy
            )


def _latest(value: Any) -> Any:
    """Return the last value of a list, and of a cross-validation's mean and deviation the mean."""
    while isinstance(value, list | tuple):
        value = value[-1] if isinstance(value, list) else value[0]
    return value


def _chosen(evaluations: Evaluations, data: str | None, metric: str | None, remedy: str) -> tuple[str, Any]:
    """Return the name and the value of the metric to report: without a choice the last metric of the last data set."""
    for name, values in reversed([*evaluations.items()]):
        if data in (None, name) and values and metric in (None, *values):
            key = metric or [*values][-1]
            return key, values[key]
    known = ", ".join(
        f"{metric} of {name}" if name else metric for name, values in evaluations.items() for metric in values
    )
    wanted = f"there is no {metric or 'metric'}{f' of {data}' if data else ''} to report."
    raise alfine.AlfineError(f"{wanted} {f'There is: {known}.' if known else remedy}")
