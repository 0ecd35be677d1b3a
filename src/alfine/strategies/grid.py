"""Grid search: every configuration once, the last hyperparameter fastest."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Self

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Suggestion
from alfine.core.spec import TuningJobSpec

KEYS: MemoKey[list[bytes]] = MemoKey(__name__, "keys")


@dataclass(frozen=True, slots=True)
class Grid:
    """The next configuration of the product, in the order of the request, that wasn't launched yet; then None."""

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def ask(self, history: History) -> Suggestion | None:
        launched = history.configurations
        left = (place for place, key in enumerate(_keys(history)) if key not in launched)
        place = next(left, None)
        if place is None:
            return None
        return Suggestion(hyperparameters=next(islice(history.spec.space.grid(), place, None)))


def _keys(history: History) -> list[bytes]:
    """The grid as points of the cube, in order: what was launched otherwise, as told to begin with, is skipped."""
    space = history.spec.space
    return history.remembered(KEYS, lambda: [space.to_unit(values).tobytes() for values in space.grid()])
