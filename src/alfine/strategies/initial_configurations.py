"""What the job was told to begin with is tried first, in its order; then the strategy has its say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import EarlyStopping, Promising, Stop, Strategy, Suggestion
from alfine.core.space import Hyperparameters
from alfine.core.spec import TuningJobSpec

STARTED: MemoKey[bool] = MemoKey(__name__, "started")


@dataclass(frozen=True, slots=True)
class Starting:
    """A strategy behind known configurations, as texts. One that was launched already, by whomever, isn't launched again."""

    configurations: Sequence[Mapping[str, str]]
    strategy: Strategy

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:
        from alfine.strategies import table

        return cls(spec.start_with, table()[spec.strategy].from_spec(spec))

    def ask(self, history: History) -> Suggestion | None:
        first = self._first(history)
        return self.strategy.ask(history) if first is None else Suggestion(hyperparameters=first)

    def _first(self, history: History) -> Hyperparameters | None:
        if history.recall(STARTED, default=False):
            return None
        space = history.spec.space
        launched = {space.to_unit(job.hyperparameters).tobytes() for job in history.jobs}
        for texts in self.configurations:
            found = space.from_text(texts)
            if space.to_unit(found).tobytes() not in launched:
                return found
        if not history.supposed:
            history.remember(STARTED, value=True)  # launches are never taken back
        return None

    def promise(self, history: History, best: float, doubt: float) -> float | None:
        return self.strategy.promise(history, best, doubt) if isinstance(self.strategy, Promising) else None

    def stops(self, history: History) -> Iterable[Stop]:
        return self.strategy.stops(history) if isinstance(self.strategy, EarlyStopping) else ()
