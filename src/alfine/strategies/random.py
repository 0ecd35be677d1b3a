"""Random search: each hyperparameter is uniform on its scale, and the points of a tuning job are spread evenly over the space.

Point i of a tuning job is frac(shift + i a): a_j is the square root of the j-th prime, and the shift is drawn from the seed. Each
point alone is uniform over the unit cube; together the points leave smaller gaps than independent draws. This costs no time and finds
good configurations with fewer training jobs (docs/explanation/search.md says how many fewer).

References: Richtmyer 1951, «The evaluation of definite integrals, and a quasi-Monte-Carlo method based on the properties of algebraic
numbers»; Cranley and Patterson 1976, «Randomization of number theoretic methods for multiple integration» (the shift).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import Suggestion
from alfine.core.space import LISTED
from alfine.core.spec import TuningJobSpec

SEQUENCE: MemoKey[tuple[Array, Array]] = MemoKey(__name__, "sequence")

ATTEMPTS = 20
"""Draws in search of a configuration that wasn't launched before; after them the unused configurations are listed instead."""

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
"""One prime per coordinate of the sequence. With more than twelve, some pairs of coordinates would be correlated."""


@dataclass(frozen=True, slots=True)
class Random:
    """Random search over the whole space.

    A configuration is a function of the seed and the number of the training job: parallelism and the order of completion don't change
    it. A point that a constraint forbids is replaced by an independent draw from the allowed ones. In a finite space no configuration
    is suggested twice, and `ask` returns None once all were suggested.
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
        if space.size > LISTED:  # too large to list, so that 20 repeated draws in a row are next to impossible
            return Suggestion(hyperparameters=drawn)
        unused = [values for values in space.grid() if space.to_unit(values).tobytes() not in seen]
        return Suggestion(hyperparameters=unused[int(rng.integers(len(unused)))]) if unused else None


def _sequence(seed: int, dimension: int) -> tuple[Array, Array]:
    """Return the sequence's shift and step a, each with min(dimension, 12) coordinates."""
    step = np.sqrt(PRIMES[:dimension])
    return np.random.default_rng((seed, 1)).random(len(step)), step


def _point(history: History, rng: np.random.Generator) -> Array:
    """Return the next point (d,) of the sequence; coordinates after the twelfth are independent draws."""
    point = rng.random(history.spec.space.dimension)
    shift, step = history.remembered(SEQUENCE, lambda: _sequence(history.spec.seed, len(point)))
    point[: len(step)] = (shift + history.turn * step) % 1.0
    return point
