"""A callback of Keras that reports to alfine and ends the training when told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import alfine
from alfine.integrations.reporter import MetricCallback

try:
    import keras
except ImportError as error:
    raise alfine.MissingExtra(
        "alfine.callbacks.Keras needs Keras 3: pip install keras, and one of its backends"
    ) from error

DEFAULT_METRIC = "val_loss"
"""The metric that is reported if the user chose none."""

VALIDATION = "val_"
"""How the names of Keras's validation metrics begin."""


class Keras(MetricCallback, keras.callbacks.Callback):  # type: ignore[misc]  # Keras isn't type-checked here
    """Reports a metric of Keras's epochs to alfine, and ends the training when told: for `fit(…, callbacks=[…])`.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, such as `val_accuracy`; None: `val_loss`. In a script it's also the name of the tuning job's metric.
        every: Report every so many epochs; None: 20 times in a training.

    Example:
        >>> model.fit(X, y, epochs=50, validation_data=(X_valid, y_valid), callbacks=[alfine.callbacks.Keras(report)])
    """

    remedy: ClassVar[str] = "Give fit validation_data or a validation_split."

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's signature
        """Take over how many epochs there are."""
        self.reporter.rounds = self.rounds or self.params.get("epochs")
        self._logged: Mapping[str, Any] = {}
        self._has_reported = False
        if self.params.get("verbose"):
            self.warn_of_progress_bar("fit(…, verbose=0)")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report after an epoch that was validated, and end the training when told."""
        self._logged = logs or {}
        name = self.metric or DEFAULT_METRIC
        was_validated = any(key.startswith(VALIDATION) for key in self._logged)
        if name.startswith(VALIDATION) and not was_validated:
            return  # with validation_freq only some epochs are
        self._has_reported = True
        if self.report_metric({"": self._logged}, epoch + 1, metric=DEFAULT_METRIC):
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's signature
        """Report the last value."""
        if not self._has_reported:
            self.report_metric({}, 1, metric=DEFAULT_METRIC)  # raises: there was no validation
        self.reporter.finish()
