"""A callback of LightGBM that reports to alfine and ends the training when told."""

from __future__ import annotations

from typing import Any, ClassVar

import alfine
from alfine.integrations.reporter import MetricCallback, Report

try:
    import lightgbm
except ImportError as error:
    raise alfine.MissingExtra("alfine.callbacks.LightGBM needs LightGBM: pip install lightgbm") from error


ORDER = 40
"""Place among the callbacks of a round: after LightGBM's own, which record evaluations (20) and stop early themselves (30)."""


class LightGBM(MetricCallback):
    """Reports a metric of LightGBM's evaluation to alfine, and ends the training when told: for `train`, `cv` and the estimators.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, such as `l2`; None: the last one. In a script it's also the name of the tuning job's metric.
        data: The data set, by its name in `valid_names`; None: the last one.
        every: As for `Reporter`.

    Example:
        >>> lightgbm.train(hp, train, 200, valid_sets=[valid], callbacks=[alfine.callbacks.LightGBM(report)])
    """

    remedy: ClassVar[str] = "Give LightGBM data to evaluate on: valid_sets=[data], or eval_set=[(X, y)]."

    def __init__(
        self,
        report: Report | None = None,
        *,
        metric: str | None = None,
        data: str | None = None,
        every: int | None = None,
    ) -> None:
        super().__init__(report, metric=metric, data=data, every=every)
        self.order = ORDER  # of the instance: LightGBM overlooks that of a class

    def __call__(self, env: Any) -> None:
        """Report after a round, and raise LightGBM's EarlyStopException when the training should end."""
        evaluations: dict[str, dict[str, float]] = {}
        for data, metric, value, *_ in env.evaluation_result_list or ():
            evaluations.setdefault(data, {})[metric] = value
        self.reporter.rounds = env.end_iteration - env.begin_iteration
        is_last = env.iteration + 1 == env.end_iteration
        if self.report_metric(evaluations, env.iteration - env.begin_iteration + 1, last=is_last) and not is_last:
            raise lightgbm.callback.EarlyStopException(env.iteration, env.evaluation_result_list)
