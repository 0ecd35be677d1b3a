"""A callback of XGBoost that reports to alfine and ends the training when told."""

from __future__ import annotations

from typing import Any, ClassVar

import alfine
from alfine.integrations.reporter import MetricCallback

try:
    import xgboost
except ImportError as error:
    raise alfine.MissingExtra("alfine.callbacks.XGBoost needs XGBoost: pip install xgboost") from error


class XGBoost(MetricCallback, xgboost.callback.TrainingCallback):  # type: ignore[misc]  # XGBoost isn't type-checked here
    """Reports a metric of XGBoost's evaluation to alfine, and ends the training when told: for `train`, `cv` and the estimators.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, such as `rmse`; None: the last one. In a script it's also the name of the tuning job's metric.
        data: The data set, by its name in `evals`; None: the last one.
        every: As for `Reporter`.
        rounds: How many rounds the training has: then there are about 20 reports, whatever that number is.

    Example:
        >>> xgboost.train(hp, train, 200, evals=[(valid, "valid")], callbacks=[alfine.callbacks.XGBoost(report, rounds=200)])
    """

    remedy: ClassVar[str] = "Give XGBoost data to evaluate on: evals=[(data, 'valid')], or eval_set=[(X, y)]."

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's signature
        """Return whether the training should end."""
        return self.report_metric(evals_log, epoch + 1)

    def after_training(self, model: Any) -> Any:
        """Report the last value, and return the model."""
        self.reporter.finish()
        return model
