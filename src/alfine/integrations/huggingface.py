"""A callback of Hugging Face's Trainer that reports to alfine and ends the training when told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import alfine
from alfine.integrations.reporter import MetricCallback

try:
    from accelerate.utils import broadcast_object_list
    from transformers import TrainerCallback
except ImportError as error:
    raise alfine.MissingExtra(
        "alfine.callbacks.HuggingFace needs transformers: pip install 'transformers[torch]'"
    ) from error


class HuggingFace(MetricCallback, TrainerCallback):  # type: ignore[misc]  # transformers isn't type-checked here
    """Reports a metric of a Trainer's evaluations to alfine, and ends the training when told: for `Trainer(callbacks=[…])`.

    With several processes the first one reports, and all of them end.

    Args:
        report: As for `Reporter`: what alfine.tune gives to your function; None in a script.
        metric: The metric, such as `eval_accuracy`; None: that of `metric_for_best_model`, or `eval_loss`. In a script it's also the name
            of the tuning job's metric.
        every: Report every so many evaluations; None: 20 times in a training.

    Example:
        >>> trainer = Trainer(model, args, eval_dataset=valid, train_dataset=train, callbacks=[alfine.callbacks.HuggingFace(report)])
    """

    remedy: ClassVar[str] = "Let the Trainer evaluate: TrainingArguments(eval_strategy='epoch')."

    _is_training = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002 - the Trainer's signature
        """Take over how many evaluations there will be."""
        best = args.metric_for_best_model or "loss"
        self._name = self.metric or (best if best.startswith("eval_") else f"eval_{best}")
        self._is_training, self._evaluations = True, 0
        self._other_metrics: dict[str, Any] = {}
        self._missing_since: int | None = None
        self.reporter.rounds = self.rounds or _evaluations(args, state)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:  # noqa: ARG002 - the Trainer's signature
        """Report after an evaluation, and end the training when told."""
        if not self._is_training:  # an evaluation of the user's own
            return
        if self._name not in metrics:
            self._note_missing(metrics, state.global_step)
            return
        self._missing_since = None
        self._evaluations += 1
        should_stop = state.is_world_process_zero and self._report(metrics)
        if args.world_size > 1:
            (should_stop,) = broadcast_object_list([should_stop])
        if should_stop:
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:  # noqa: ARG002 - the Trainer's signature
        """Report the last value."""
        self._is_training = False
        if self._evaluations == 0:
            self._report(self._other_metrics)  # raises: the metric wasn't there
        if state.is_world_process_zero:
            self.reporter.finish()

    def _report(self, metrics: Mapping[str, Any]) -> bool:
        return self.report_metric({"": metrics} if metrics else {}, self._evaluations, metric=self._name)

    def _note_missing(self, metrics: Mapping[str, Any], step: int) -> None:
        """Note that an evaluation lacks the metric: another data set's may have it. Raise if none at an earlier step had it."""
        if self._missing_since not in (None, step):
            self._report(self._other_metrics)
        self._missing_since = step
        self._other_metrics |= metrics


def _evaluations(args: Any, state: Any) -> int:
    """Return how many evaluations a training will have."""
    steps = int(state.max_steps)
    if args.eval_strategy == "steps" and args.eval_steps:
        every = args.eval_steps if args.eval_steps >= 1 else math.ceil(steps * args.eval_steps)
        return math.ceil(steps / int(every))
    return int(state.num_train_epochs)
