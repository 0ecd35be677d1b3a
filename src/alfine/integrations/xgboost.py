"""A callback of XGBoost that reports to alfine and ends the training when told."""

from __future__ import annotations

from typing import Any

import alfine
from alfine.integrations.reporter import Report, Reporter, chosen_metric

try:
    import xgboost
except ImportError as error:
    raise alfine.MissingExtra("alfine.callbacks.XGBoost needs XGBoost: pip install xgboost") from error


class XGBoost(xgboost.callback.TrainingCallback):  # type: ignore[misc]  # XGBoost isn't type-checked here
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
        self.metric, self.data = metric, data
        self.reporter = Reporter(report, every=every, rounds=rounds)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002 - XGBoost's signature
        """Return whether the training should end."""
        remedy = "Give XGBoost data to evaluate on: evals=[(data, 'valid')], or eval_set=[(X, y)]."
        name, values = chosen_metric(evals_log, self.data, self.metric, remedy)
        self.reporter.metric = name
        latest = values[-1]
        return self.reporter(epoch + 1, latest[0] if isinstance(latest, tuple) else latest)  # of cv: mean and deviation

    def after_training(self, model: Any) -> Any:
        """Report the last value, and return the model."""
        self.reporter.finish()
        return model
