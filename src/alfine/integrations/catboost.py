"""A callback of CatBoost that reports to alfine and ends the training when told."""

from __future__ import annotations

from typing import Any

from alfine.integrations.reporter import Report, Reporter, chosen_metric


class CatBoost:
    """Reports a metric of CatBoost's evaluation to alfine, and ends the training when told: for `fit(…, callbacks=[…])`.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, such as `RMSE`; None: the last one. In a script it's also the name of the tuning job's metric.
        data: The data set, `learn` or `validation`; None: the last one.
        every: As for `Reporter`.
        rounds: How many iterations the training has: then there are about 20 reports, whatever that number is.

    Example:
        >>> model.fit(X, y, eval_set=(X_valid, y_valid), callbacks=[alfine.callbacks.CatBoost(report, rounds=200)])
    """

    def __init__(
        self,
        report: Report | None = None,
        *,
        metric: str | None = None,
        data: str | None = None,
        every: int | None = None,
        rounds: int | None = None,
    ) -> None:
        self.metric, self.data = metric, data
        self.reporter = Reporter(report, every=every, rounds=rounds)

    def after_iteration(self, info: Any) -> bool:
        """Return whether the training should go on, which is what CatBoost asks for."""
        remedy = "Give CatBoost data to evaluate on: eval_set=(X, y)."
        name, values = chosen_metric(dict(info.metrics or {}), self.data, self.metric, remedy)
        self.reporter.metric = name
        is_last = info.iteration == self.reporter.rounds
        return not self.reporter(info.iteration, values[-1], last=is_last)
