"""A callback of Lightning that reports to alfine and ends the training when told."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import alfine
from alfine.integrations.reporter import MetricCallback

DEFAULT_METRIC = "val_loss"
"""The metric that is reported if the user chose none."""


def _lightning() -> Any:
    """Return the package of Lightning, which has two names: the one that the program has imported."""
    names = ("lightning.pytorch", "pytorch_lightning")
    for name in sorted(names, key=lambda name: name not in sys.modules):
        if find_spec(name.partition(".")[0]) is not None:
            return import_module(name)
    raise alfine.MissingExtra("alfine.callbacks.Lightning needs Lightning: pip install lightning")


class Lightning(MetricCallback, _lightning().Callback):  # type: ignore[misc]  # Lightning isn't type-checked here
    """Reports a metric that a LightningModule logs to alfine, and ends the training when told: for `Trainer(callbacks=[…])`.

    It reports after each validation, or after each epoch where there is none; not from the sanity check. With several processes the first
    one reports, and all of them end.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, by the name that it's logged under; None: `val_loss`. In a script it's also the name of the tuning job's metric.
        every: Report every so many validations; None: 20 times in a training whose `max_epochs` is known, or every 5.

    Example:
        >>> trainer = lightning.Trainer(max_epochs=50, callbacks=[alfine.callbacks.Lightning(report)])
    """

    remedy: ClassVar[str] = "Log it in validation_step: self.log('val_loss', loss)."

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - Lightning's signature
        """Take over how many validations there will be."""
        self._validations = 0
        self.reporter.rounds = self.rounds or _validations(trainer)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - Lightning's signature
        """Report after a validation."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._after(trainer)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - Lightning's signature
        """Report after an epoch of a training without validation."""
        if not trainer.enable_validation:
            self._after(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - Lightning's signature
        """Report the last value."""
        if trainer.is_global_zero:
            self.reporter.finish()

    def _after(self, trainer: Any) -> None:
        self._validations += 1
        logged = dict(trainer.callback_metrics)
        is_shown = trainer.progress_bar_callback and (self.metric or DEFAULT_METRIC) in trainer.progress_bar_metrics
        if is_shown and self._validations == 1:
            self.warn_of_progress_bar("Trainer(enable_progress_bar=False)")
        should_stop = trainer.is_global_zero and self.report_metric(
            {"": logged} if logged else {}, self._validations, metric=DEFAULT_METRIC
        )
        if trainer.strategy.reduce_boolean_decision(should_stop, all=False):
            trainer.should_stop = True


def _validations(trainer: Any) -> int | None:
    """Return how many validations a training will have; None where nobody knows."""
    if trainer.max_epochs is None or trainer.max_epochs < 1:
        return None
    if not trainer.enable_validation:
        return int(trainer.max_epochs)
    an_epoch = max(1, trainer.num_training_batches // trainer.val_check_batch) if trainer.val_check_batch else 1
    return int(trainer.max_epochs // (trainer.check_val_every_n_epoch or 1) * an_epoch)
