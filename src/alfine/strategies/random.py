"""Random search: independent draws, each hyperparameter uniform on its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from alfine.core.decide import Suggestion
from alfine.core.history import History
from alfine.core.space import LISTED
from alfine.core.spec import TuningJobSpec

ATTEMPTS = 20  # draws for a configuration not launched before; past that the rest of the space is listed instead


@dataclass(frozen=True, slots=True)
class Random:
    """Draws from (seed, number of the training job), so that order of completion and parallelism change nothing.

    In a finite space no configuration is drawn twice, and each is drawn once before None.
    """

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def ask(self, history: History) -> Suggestion | None:
        space, rng = history.spec.space, history.rng()
        if space.size is None:
            return Suggestion(hyperparameters=space.sample(rng))
        seen = history.configurations
        for _ in range(ATTEMPTS):
            drawn = space.sample(rng)
            if space.to_unit(drawn).tobytes() not in seen:
                return Suggestion(hyperparameters=drawn)
        if space.size > LISTED:  # where 20 draws don't all repeat
            return Suggestion(hyperparameters=drawn)
        left = [each for each in space.grid() if space.to_unit(each).tobytes() not in seen]
        return Suggestion(hyperparameters=left[int(rng.integers(len(left)))]) if left else None
