"""A callback of CatBoost that reports to alfine and ends the training when told."""

from __future__ import annotations

from typing import Any, ClassVar

from alfine.integrations.reporter import MetricCallback


class CatBoost(MetricCallback):
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

    remedy: ClassVar[str] = "Give CatBoost data to evaluate on: eval_set=(X, y)."

    def after_iteration(self, info: Any) -> bool:
        """Return whether the training should go on, which is what CatBoost asks for."""
        return not self.report_metric(info.metrics or {}, info.iteration, last=info.iteration == self.reporter.rounds)
