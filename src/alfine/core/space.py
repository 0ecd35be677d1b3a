"""The parameter space: configurations <-> points of the unit cube <-> text, sampling and grid.

core/ranges.py has its axes, core/conditional_space.py the conditions and constraints.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.conditional_space import Structure, may_be_absent_category
from alfine.core.conditions import Combination, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.range_protocol import Range
from alfine.core.range_words import values_in_words
from alfine.core.ranges import Categorical, values_of

Hyperparameters = dict[str, Any]
"""A configuration: the value of each active hyperparameter, in its own type."""

LARGEST_SIZE = 2**53  # configurations, up to which a float counts exactly
LISTED = 100_000  # configurations, up to which a space may be listed in full
MOST_DRAWN = 2**17  # points that are drawn at once to find allowed ones


@dataclass(frozen=True)
class ParameterSpace:
    """The tunable hyperparameters in a fixed order; n points of the space are an (n, d) array in the unit cube.

    A configuration has the active hyperparameters only, and none of the forbidden combinations (core/conditional_space.py).

    Args:
        ranges: The range of each hyperparameter, by name.
        forbidden: Combinations that no configuration may have.
    """

    ranges: Mapping[str, Range]
    forbidden: tuple[Combination, ...] = ()

    def __repr__(self) -> str:
        forbid = f", forbid={[words(combination) for combination in self.forbidden]!r}" if self.forbidden else ""
        return f"{type(self).__name__}({dict(self.ranges)!r}{forbid})"

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    @property
    def dimension(self) -> int:
        return len(self.ranges)

    @cached_property
    def categorical(self) -> npt.NDArray[np.bool_]:
        """(d,) which coordinates are categories, which have no order."""
        return np.array([isinstance(r, Categorical) for r in self.ranges.values()], dtype=bool)

    @cached_property
    def logarithmic(self) -> npt.NDArray[np.bool_]:
        """(d,) which coordinates are on a logarithmic scale, Logarithmic or ReverseLogarithmic."""
        scalings = [getattr(r, "effective_scaling", "Linear") for r in self.ranges.values()]
        return np.array([scaling != "Linear" for scaling in scalings], dtype=bool)

    @cached_property
    def cells(self) -> Array:
        """(d,) the number of distinct places that each coordinate has; infinity where it is continuous.

        A categorical hyperparameter that may be absent has one more place, the last, which stands for its absence.
        """
        return np.array([r.cells + may_be_absent_category(r) for r in self.ranges.values()], dtype=float)

    @cached_property
    def structure(self) -> Structure | None:
        """The conditions and constraints of the space; None for a plain product of ranges."""
        plain = not self.forbidden and not any(r.requires or r.optional for r in self.ranges.values())
        return None if plain else Structure(self.ranges, self.forbidden)

    @cached_property
    def size(self) -> int | None:
        """The number of distinct configurations; None when they are infinitely many, or more than LARGEST_SIZE.

        With very many conditions or constraints it's an upper bound (core/conditional_space.py).
        """
        if self.structure is not None:
            survey = self.structure.survey
            return int(survey.size) if survey.size <= LARGEST_SIZE else None
        if any(math.isinf(r.cells) for r in self.ranges.values()):
            return None
        size = math.prod(int(r.cells) for r in self.ranges.values())
        return size if size <= LARGEST_SIZE else None

    def to_unit(self, hyperparameters: Mapping[str, Any]) -> Array:
        """Return the point (d,) of a configuration; numbers outside their range are moved to its nearest end.

        Args:
            hyperparameters: The configuration; every active hyperparameter has a value, unless it's optional.
        """
        if self.structure is None:
            return np.array([r.to_unit(hyperparameters[name]) for name, r in self.ranges.items()], dtype=float)
        values = [r.to_unit(hyperparameters[n]) if n in hyperparameters else math.nan for n, r in self.ranges.items()]
        point = np.array(values) * self.structure.stretch
        return np.where(np.isnan(point), self.structure.inactive, point)

    def from_unit(self, point: Array) -> Hyperparameters:
        """Return the configuration in whose cell the point (d,) lies.

        Args:
            point: (d,) in the unit cube.
        """
        if self.structure is None:
            return {name: r.from_unit(float(u)) for (name, r), u in zip(self.ranges.items(), point, strict=True)}
        settled, active = self.structure.settle(np.array([point]))
        places = zip(self.ranges.items(), settled[0] / self.structure.stretch, active[0], strict=True)
        return {name: r.from_unit(float(u)) for (name, r), u, on in places if on}

    def snap(self, points: Array) -> Array:
        """Return points (n, d) with each coordinate moved to the place of the value that it stands for. Idempotent."""
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
        """Return points (n, d) with each inactive coordinate moved to the one place that stands for being inactive. Idempotent."""
        return points if self.structure is None else self.structure.settle(points)[0]

    def active(self, points: Array) -> npt.NDArray[np.bool_]:
        """Return which coordinates of points (n, d) are active, (n, d)."""
        return np.ones(points.shape, dtype=bool) if self.structure is None else self.structure.settle(points)[1]

    def feasible(self, points: Array) -> Array:
        """Return those of the points (n, d) that aren't forbidden, (m, d), as `settle` moves them.

        Args:
            points: (n, d) points of the unit cube.
        """
        if self.structure is None:
            return points
        settled, active = self.structure.settle(points)
        return settled[self.structure.allowed(settled, active)]

    def sample(self, rng: np.random.Generator) -> Hyperparameters:
        """Return an allowed configuration, each hyperparameter uniform on its scale and independent of the others.

        Args:
            rng: The generator.

        Raises:
            InvalidSpec: Where none of very many draws is allowed, and the space is too large to list.
        """
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
        """Return (count, d) allowed points, uniform over what is allowed.

        There are fewer only where hardly any points are allowed and the constraints are very many.

        Args:
            rng: The generator.
            count: How many points.
        """
        points = self._allowed_of(rng.random((max(16, 2 * count), self.dimension)))
        if len(points) < count and self.structure is not None:
            points = np.concatenate([points, self._allowed_of(self.structure.draw(rng, count))])
        drawn = 16 * max(16, count)
        while len(points) < count and drawn <= MOST_DRAWN:
            points, drawn = np.concatenate([points, self._allowed_of(rng.random((drawn, self.dimension)))]), 8 * drawn
        return points[:count]

    def _allowed_of(self, points: Array) -> Array:
        """Return the allowed ones of points (n, d), judged by their configurations: coordinates on the edge of a cell are rounded."""
        allowed = [point for point in self.feasible(points) if self.allows(self.from_unit(point))]
        return np.array(allowed).reshape(len(allowed), self.dimension)

    def allows(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Return whether a configuration has none of the forbidden combinations."""
        return self.structure is None or self.structure.allows(hyperparameters)

    def grid(self) -> Iterator[Hyperparameters]:
        """Yield every allowed configuration of a finite space once; the last hyperparameter changes fastest.

        A hyperparameter with a condition changes faster than those that the condition is about.
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
        """Return a configuration in AMT's strings: «7», «0.4630125855085939», strings as they are.

        Raises:
            KeyError: Where an active hyperparameter is missing.
        """
        texts = {name: r.to_text(hyperparameters[name]) for name, r in self.ranges.items() if name in hyperparameters}
        if len(texts) < len(self.ranges):
            self._require_active(hyperparameters)
        return texts

    def from_text(self, texts: Mapping[str, str]) -> Hyperparameters:
        """Return the configuration that AMT's strings mean; inactive hyperparameters among them are left out.

        Raises:
            KeyError: Where an active hyperparameter is missing.
            ValueError: Where a string means no value of its range.
        """
        if self.structure is None:
            return {name: r.from_text(texts[name]) for name, r in self.ranges.items()}
        values: Hyperparameters = {}
        for name in self.structure.order:
            is_absent = self.ranges[name].optional and name not in texts
            if self.structure.is_active(name, values) and not is_absent:
                values[name] = self.ranges[name].from_text(texts[name])
        return {name: values[name] for name in self.names if name in values}

    def clipped(self, hyperparameters: Mapping[str, Any]) -> Hyperparameters:
        """Return a configuration with each number that lies outside its range moved to the nearest value of the range.

        Args:
            hyperparameters: The configuration. Unknown names and categories stay as they are.
        """
        ranges = {name: self.ranges[name] for name in hyperparameters if name in self.ranges}
        moved = {name: r for name, r in ranges.items() if _can_be_moved(r, hyperparameters[name])}
        return {**hyperparameters, **{name: r.from_unit(r.to_unit(hyperparameters[name])) for name, r in moved.items()}}

    def is_whole(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Return whether every active hyperparameter has a value, unless it's optional, so that the configuration has a place."""
        try:
            self._require_active(hyperparameters)
        except KeyError:
            return False
        return True

    def _require_active(self, hyperparameters: Mapping[str, Any]) -> None:
        """Raise KeyError where an active hyperparameter is missing."""
        active = self.names if self.structure is None else self.structure.active(hyperparameters)
        for name in active:
            if not self.ranges[name].optional:
                hyperparameters[name]

    def check(self, hyperparameters: Mapping[str, Any]) -> None:
        """Check that a configuration has exactly the active hyperparameters, inside their ranges, and nothing forbidden.

        Raises:
            InvalidSpec: With every fault; its path is the hyperparameter's name.
        """
        inside = {
            name: hyperparameters[name]
            for name, r in self.ranges.items()
            if name in hyperparameters and r.contains(hyperparameters[name])
        }
        active = set(self.names if self.structure is None else self.structure.active(inside))
        faults = [*self._value_faults(hyperparameters, inside, active)]
        faults = faults or [*self._rule_faults(hyperparameters, inside, active)]
        if faults:
            raise InvalidSpec(faults)

    def _value_faults(
        self, hyperparameters: Mapping[str, Any], inside: Mapping[str, Any], active: set[str]
    ) -> Iterator[Fault]:
        """Yield a fault for each value that is missing, unknown or outside its range. inside: the values that lie in their ranges."""
        for name in self.names:
            if name in active and name not in hyperparameters and not self.ranges[name].optional:
                yield Fault(name, "this hyperparameter is missing.")
        for name in hyperparameters:
            if name not in self.ranges:
                yield Fault(name, "the space has no such hyperparameter.")
        for name, range_ in self.ranges.items():
            if name in hyperparameters and name not in inside:
                yield Fault(name, f"{hyperparameters[name]!r} lies outside {values_in_words(range_)}.")

    def _rule_faults(
        self, hyperparameters: Mapping[str, Any], inside: Mapping[str, Any], active: set[str]
    ) -> Iterator[Fault]:
        """Yield a fault for each value that is inactive and each forbidden combination, of values that lie in their ranges."""
        if self.structure is None:
            return
        for name in self.names:
            if name in hyperparameters and name not in active:
                condition = " or ".join(map(words, self.ranges[name].requires))
                yield Fault(name, f"this hyperparameter is inactive here: it requires {condition}. Leave it out.")
        for combination in self.structure.broken(inside):
            yield Fault("", f"«{words(combination)}» is forbidden.")


def _can_be_moved(range_: Range, value: Any) -> bool:
    """Return whether a value is a finite number outside a range of numbers."""
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    return range_.ordered and is_number and not range_.contains(value)
