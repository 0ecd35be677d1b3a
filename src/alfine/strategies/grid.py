"""Grid search: every combination of values once; the last hyperparameter varies fastest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Self

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import Suggestion
from alfine.core.spec import TuningJobSpec

KEYS: MemoKey[list[bytes]] = MemoKey(__name__, "keys")


@dataclass(frozen=True, slots=True)
class Grid:
    """Grid search in the order of the request. `ask` returns None once every configuration was launched."""

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def ask(self, history: History) -> Suggestion | None:
        launched = history.configurations
        index = next((index for index, key in enumerate(_keys(history)) if key not in launched), None)
        if index is None:
            return None
        return Suggestion(hyperparameters=next(islice(history.spec.space.grid(), index, None)))


def _keys(history: History) -> list[bytes]:
    """Return the grid's points of the unit cube as bytes, in order. Configurations that `start_with` named are recognised by them."""
    space = history.spec.space
    return history.remembered(KEYS, lambda: [space.to_unit(values).tobytes() for values in space.grid()])
