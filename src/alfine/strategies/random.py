"""Random search: each hyperparameter uniform on its scale, and the training jobs of a tuning job spread over the space.

Point i of a tuning job is frac(shift + i a), a_j the square root of the j-th prime and the shift drawn from the seed: by itself any
point is uniform over the cube, together they leave smaller gaps than independent draws would. It costs nothing, and finds good
configurations with fewer training jobs (docs/explanation/search.md has how many).

References: Richtmyer 1951, «The evaluation of definite integrals, and a quasi-Monte-Carlo method based on the properties of algebraic
numbers»; Cranley and Patterson 1976, «Randomization of number theoretic methods for multiple integration» (the shift).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.policy import Suggestion
from alfine.core.ranges import Array
from alfine.core.space import LISTED
from alfine.core.spec import TuningJobSpec

SEQUENCE: MemoKey[tuple[Array, Array]] = MemoKey(__name__, "sequence")

ATTEMPTS = 20  # draws for a configuration not launched before; past that the rest of the space is listed instead
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)  # beyond twelve, some pairs of coordinates would go hand in hand


@dataclass(frozen=True, slots=True)
class Random:
    """A function of (seed, number of the training job), so that order of completion and parallelism change nothing.

    Where combinations are forbidden, a point that is one gives way to an independent draw of the allowed. In a finite space no
    configuration is drawn twice, and each is drawn once before None.
    """

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self:  # noqa: ARG003 - the protocol's signature
        return cls()

    def ask(self, history: History) -> Suggestion | None:
        space, rng = history.spec.space, history.rng()
        drawn = space.from_unit(_point(history, rng))
        if not space.allows(drawn):
            drawn = space.sample(rng)
        if space.size is None:
            return Suggestion(hyperparameters=drawn)
        seen = history.configurations
        for _ in range(ATTEMPTS):
            if space.to_unit(drawn).tobytes() not in seen:
                return Suggestion(hyperparameters=drawn)
            drawn = space.sample(rng)
        if space.size > LISTED:  # where 20 draws don't all repeat
            return Suggestion(hyperparameters=drawn)
        left = [each for each in space.grid() if space.to_unit(each).tobytes() not in seen]
        return Suggestion(hyperparameters=left[int(rng.integers(len(left)))]) if left else None


def _sequence(seed: int, dimension: int) -> tuple[Array, Array]:
    """The shift and the step a of the sequence, each with as many coordinates as the sequence has of these."""
    step = np.sqrt(PRIMES[:dimension])
    return np.random.default_rng((seed, 1)).random(len(step)), step


def _point(history: History, rng: np.random.Generator) -> Array:
    """(d,) the next of the sequence; coordinates beyond its own are independent draws."""
    point = rng.random(history.spec.space.dimension)
    shift, step = history.remembered(SEQUENCE, lambda: _sequence(history.spec.seed, len(point)))
    point[: len(step)] = (shift + history.launches * step) % 1.0
    return point
