"""Initial configurations: those that the user names (`start_with`) are evaluated first, in their order; then the strategy is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import EarlyStopping, Stop, Strategy, Suggestion, expected_gain_of
from alfine.core.space import Hyperparameters

ALL_LAUNCHED: MemoKey[bool] = MemoKey(__name__, "all launched")


@dataclass(frozen=True, slots=True)
class InitialConfigurations:
    """A strategy that is asked only after the given configurations were launched. One that was launched before is left out.

    Args:
        configurations: Each maps the hyperparameters' names to their values as text, as a request has them.
        strategy: The strategy to ask afterwards.
    """

    configurations: Sequence[Mapping[str, str]]
    strategy: Strategy

    def ask(self, history: History) -> Suggestion | None:
        configuration = self._next(history)
        return self.strategy.ask(history) if configuration is None else Suggestion(hyperparameters=configuration)

    def _next(self, history: History) -> Hyperparameters | None:
        """Return the first configuration that wasn't launched yet, or None."""
        if history.recall(ALL_LAUNCHED, default=False):
            return None
        space = history.spec.space
        launched = {space.to_unit(job.hyperparameters).tobytes() for job in history.jobs}
        for texts in self.configurations:
            configuration = space.from_text(texts)
            if space.to_unit(configuration).tobytes() not in launched:
                return configuration
        if not history.hypothetical:
            history.remember(ALL_LAUNCHED, value=True)  # a launch is never taken back
        return None

    def expected_gain(self, history: History, best: float, variance_factor: float) -> float | None:
        return expected_gain_of(self.strategy, history, best, variance_factor)

    def stops(self, history: History) -> Iterable[Stop]:
        return self.strategy.stops(history) if isinstance(self.strategy, EarlyStopping) else ()
