"""The parameter space: configurations <-> points of the unit cube <-> text, sampling and grid. core/ranges.py has its axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.conditional_space import Structure
from alfine.core.conditions import Combination, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.ranges import Array, Categorical, Range, values_in_words, values_of

Hyperparameters = dict[str, Any]

LARGEST_SIZE = 2**53
LISTED = 100_000  # spaces up to this size may be listed in full
MOST_DRAWN = 2**17  # points at once, in search of allowed ones


@dataclass(frozen=True)
class ParameterSpace:
    """The tunable hyperparameters in a fixed order; n points of it are an (n, d) array in the unit cube.

    A configuration has the active hyperparameters only, and none of the forbidden combinations: see core/conditional_space.py.
    """

    ranges: Mapping[str, Range]
    forbidden: tuple[Combination, ...] = ()

    def __repr__(self) -> str:
        forbid = f", forbid={[words(each) for each in self.forbidden]!r}" if self.forbidden else ""
        return f"{type(self).__name__}({dict(self.ranges)!r}{forbid})"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    @property
    def dimension(self) -> int:
        return len(self.ranges)

    @cached_property
    def categorical(self) -> npt.NDArray[np.bool_]:
        """(d,) which coordinates have no order."""
        return np.array([isinstance(r, Categorical) for r in self.ranges.values()], dtype=bool)

    @cached_property
    def logarithmic(self) -> npt.NDArray[np.bool_]:
        """(d,) which coordinates are numbers on a logarithmic scale, from either end."""
        scalings = [getattr(r, "effective_scaling", "Linear") for r in self.ranges.values()]
        return np.array([scaling != "Linear" for scaling in scalings], dtype=bool)

    @cached_property
    def cells(self) -> Array:
        """(d,) how many distinct places each coordinate has; infinity where it is continuous.

        A category with a condition has one more, the last, for being inactive.
        """
        return np.array([r.cells + bool(r.requires and not r.ordered) for r in self.ranges.values()], dtype=float)

    @cached_property
    def structure(self) -> Structure | None:
        """Its conditions and constraints; None for a plain product of ranges."""
        plain = not self.forbidden and not any(r.requires for r in self.ranges.values())
        return None if plain else Structure(self.ranges, self.forbidden)

    @cached_property
    def size(self) -> int | None:
        """How many distinct configurations there are; None when without end, or more than floats can count.

        With very many conditions or constraints it's an upper bound (core/conditional_space.py).
        """
        if self.structure is not None:
            found = self.structure.survey.size
            return int(found) if found <= LARGEST_SIZE else None
        if any(math.isinf(r.cells) for r in self.ranges.values()):
            return None
        size = math.prod(int(r.cells) for r in self.ranges.values())
        return size if size <= LARGEST_SIZE else None

    def to_unit(self, hyperparameters: Mapping[str, Any]) -> Array:
        """(d,) the point of the cube; values outside their range are moved to its nearest end."""
        if self.structure is None:
            return np.array([r.to_unit(hyperparameters[name]) for name, r in self.ranges.items()], dtype=float)
        values = [r.to_unit(hyperparameters[n]) if n in hyperparameters else math.nan for n, r in self.ranges.items()]
        point = np.array(values) * self.structure.stretch
        return np.where(np.isnan(point), self.structure.inactive, point)

    def from_unit(self, point: Array) -> Hyperparameters:
        """The configuration in whose cell the point lies, in native types, without hyperparameters that are inactive."""
        if self.structure is None:
            return {name: r.from_unit(float(u)) for (name, r), u in zip(self.ranges.items(), point, strict=True)}
        settled, active = self.structure.settle(np.array([point]))
        places = zip(self.ranges.items(), settled[0] / self.structure.stretch, active[0], strict=True)
        return {name: r.from_unit(float(u)) for (name, r), u, on in places if on}

    def snap(self, points: Array) -> Array:
        """(n, d) -> (n, d), each coordinate moved to the value it stands for; idempotent."""
        if self.structure is None:
            snapped, active, stretch = np.array(points, dtype=float), None, np.ones(self.dimension)
        else:
            snapped, active = self.structure.settle(points)
            stretch = self.structure.stretch
        for j, r in enumerate(self.ranges.values()):
            if not math.isinf(r.cells):
                snapped[:, j] = [r.to_unit(r.from_unit(u)) * stretch[j] for u in snapped[:, j] / stretch[j]]
        if self.structure is not None and active is not None:
            snapped = np.where(active, snapped, self.structure.inactive)
        clipped: Array = np.clip(snapped, 0.0, 1.0)
        return clipped

    def settle(self, points: Array) -> Array:
        """(n, d) -> (n, d), coordinates that are inactive moved to the one place that stands for it; idempotent."""
        return points if self.structure is None else self.structure.settle(points)[0]

    def active(self, points: Array) -> npt.NDArray[np.bool_]:
        """(n, d) which coordinates of points of the cube are active."""
        return np.ones(points.shape, dtype=bool) if self.structure is None else self.structure.settle(points)[1]

    def feasible(self, points: Array) -> Array:
        """(n, d) -> (m, d): the points settled, without those that are forbidden."""
        if self.structure is None:
            return points
        settled, active = self.structure.settle(points)
        return settled[self.structure.allowed(settled, active)]

    def sample(self, rng: np.random.Generator) -> Hyperparameters:
        """One allowed configuration, each hyperparameter uniform on its scale and independent of the others."""
        if self.structure is None:
            return self.from_unit(rng.random(self.dimension))
        for point in self.draw(rng, 1):
            return self.from_unit(point)
        every = list(self.grid()) if self.size is not None and self.size <= LISTED else []
        if not every:
            raise InvalidSpec(
                [Fault("", "none of the configurations drawn is allowed. Forbid less, or narrow the ranges.")]
            )
        return every[int(rng.integers(len(every)))]

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """(count, d) allowed points, uniform; fewer only where hardly any are allowed and constraints are very many."""
        found = self._allowed_of(rng.random((max(16, 2 * count), self.dimension)))
        if len(found) < count and self.structure is not None:
            found = np.concatenate([found, self._allowed_of(self.structure.draw(rng, count))])
        block = 16 * max(16, count)
        while len(found) < count and block <= MOST_DRAWN:
            found, block = np.concatenate([found, self._allowed_of(rng.random((block, self.dimension)))]), 8 * block
        return found[:count]

    def _allowed_of(self, points: Array) -> Array:
        """Of these points the allowed, by their configurations: on an edge arithmetic may see it otherwise."""
        good = [point for point in self.feasible(points) if self.allows(self.from_unit(point))]
        return np.array(good).reshape(len(good), self.dimension)

    def allows(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Whether a configuration has none of the forbidden combinations."""
        return self.structure is None or self.structure.allows(hyperparameters)

    def grid(self) -> Iterator[Hyperparameters]:
        """Every allowed configuration of a finite space once, the last hyperparameter fastest.

        Where hyperparameters have conditions, they come after those that these are about.
        """
        if self.structure is None:
            for row in itertools.product(*(values_of(r) for r in self.ranges.values())):
                yield dict(zip(self.names, row, strict=True))
            return
        for values in self._branches({}, self.structure.order):
            if self.structure.allows(values):
                yield {name: values[name] for name in self.names if name in values}

    def _branches(self, values: Hyperparameters, names: Sequence[str]) -> Iterator[Hyperparameters]:
        if not names:
            yield values
            return
        name, rest = names[0], names[1:]
        if self.structure is not None and not self.structure.is_active(name, values):
            yield from self._branches(values, rest)
            return
        for value in values_of(self.ranges[name]):
            yield from self._branches({**values, name: value}, rest)

    def to_text(self, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
        """AMT's strings: «7», «0.4630125855085939», categories verbatim. What is inactive isn't there."""
        found = {name: r.to_text(hyperparameters[name]) for name, r in self.ranges.items() if name in hyperparameters}
        if len(found) < len(self.ranges):
            self._complete(hyperparameters)
        return found

    def from_text(self, texts: Mapping[str, str]) -> Hyperparameters:
        """Native values of AMT's strings; what is inactive among these is left out. Raise KeyError for what is missing."""
        if self.structure is None:
            return {name: r.from_text(texts[name]) for name, r in self.ranges.items()}
        values: Hyperparameters = {}
        for name in self.structure.order:
            if self.structure.is_active(name, values):
                values[name] = self.ranges[name].from_text(texts[name])
        return {name: values[name] for name in self.names if name in values}

    def _complete(self, hyperparameters: Mapping[str, Any]) -> None:
        """Raise KeyError for an active hyperparameter that isn't there."""
        active = self.names if self.structure is None else self.structure.active(hyperparameters)
        for name in active:
            hyperparameters[name]

    def check(self, hyperparameters: Mapping[str, Any]) -> None:
        """Raise InvalidSpec unless every active hyperparameter is there and inside its range, none else, nothing forbidden."""
        inside = {
            name: hyperparameters[name]
            for name, r in self.ranges.items()
            if name in hyperparameters and r.contains(hyperparameters[name])
        }
        active = set(self.names if self.structure is None else self.structure.active(inside))
        faults = [
            Fault(name, "this hyperparameter is missing.") for name in self.names if name in active - {*hyperparameters}
        ]
        faults += [
            Fault(name, "the space has no such hyperparameter.") for name in hyperparameters if name not in self.ranges
        ]
        faults += [
            Fault(name, f"{hyperparameters[name]!r} lies outside {values_in_words(r)}.")
            for name, r in self.ranges.items()
            if name in hyperparameters and name not in inside
        ]
        if self.structure is not None and not faults:
            faults += [
                Fault(
                    name,
                    f"it's inactive here: it requires {' or '.join(map(words, self.ranges[name].requires))}. Leave it out.",
                )
                for name in self.names
                if name in hyperparameters and name not in active
            ]
            faults += [Fault("", f"«{words(each)}» is forbidden.") for each in self.structure.broken(inside)]
        if faults:
            raise InvalidSpec(faults)
