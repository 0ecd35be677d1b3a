"""Conditions and forbidden combinations: what makes a space more than a product of ranges.

Everything is decided on the axes of the unit cube. A clause compares one hyperparameter with constants, and holds on intervals of its
axis (`Range.where`). A combination holds where all its clauses do, a condition where any of its combinations does. No clause holds for
a hyperparameter that is inactive.

Between the ends of all intervals of an axis nothing changes, so the cube falls into boxes, few of them: `survey` goes through the boxes
to find out exactly which configurations there are. Symbols: points (n, d) of the cube, coordinates in the order of the space.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array, Interval
from alfine.core.conditions import Clause, Combination, words
from alfine.core.errors import Fault
from alfine.core.range_protocol import Range

Mask = npt.NDArray[np.bool_]
Rule = tuple[tuple[int, tuple[Interval, ...]], ...]
"""A combination: it holds where the coordinate of each of these axes lies in one of the axis's intervals."""

MOST_BOXES = 5_000  # with more boxes the survey is estimated from random points
DRAWN = 20_000  # random points of such an estimate
INACTIVE = 0.5  # the coordinate of an inactive number: the middle is near to all values that it could have


def may_be_absent_category(range_: Range) -> bool:
    """Return whether a range is one of categories that not every configuration or result has: their absence needs a place on the axis."""
    return not range_.ordered and bool(range_.requires or range_.optional)


@dataclass(frozen=True, slots=True)
class Survey:
    """A summary of a space: how many configurations it allows, and where its hyperparameters are active.

    Args:
        size: The number of distinct allowed configurations; may be infinity.
        share: The share of the cube's volume that is allowed.
        active: For each hyperparameter, the share of the allowed volume in which it's active.
        forbidding: For each forbidden combination, the share of the cube's volume in which it holds.
        exact: Whether these are exact; otherwise the shares are estimates, and size is an upper bound.
    """

    size: float
    share: float
    active: Mapping[str, float]
    forbidding: Sequence[float]
    exact: bool


@dataclass(frozen=True, slots=True)
class AxisPart:
    """A part of an axis: ascending intervals, and how many values of the range lie in them."""

    intervals: tuple[Interval, ...]
    count: float

    @property
    def length(self) -> float:
        return sum(high - low for low, high in self.intervals)

    def place(self, share: float) -> float:
        """Return the coordinate below which this share of the part's length lies."""
        rest = share * self.length
        for low, high in self.intervals:
            if rest < high - low:
                return low + rest
            rest -= high - low
        return self.intervals[-1][1]


@dataclass(frozen=True, slots=True)
class Box:
    """A box of the cube, within which every rule holds everywhere or nowhere.

    Args:
        parts: The box's part of each axis that is active in it and that a rule is about, by coordinate.
        forbidden: (number of constraints,) which forbidden combinations hold in it.
    """

    parts: Mapping[int, AxisPart]
    forbidden: Mask

    @property
    def volume(self) -> float:
        return math.prod(part.length for part in self.parts.values())


@dataclass(frozen=True)
class Structure:
    """The conditions and constraints of a space that has no faults (`faults`).

    Args:
        ranges: The ranges of the space, with their conditions.
        forbidden: The forbidden combinations.
    """

    ranges: Mapping[str, Range]
    forbidden: tuple[Combination, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names in the order of the space, except that each comes after those that its condition is about."""
        return tuple(_in_order(self.ranges))

    @cached_property
    def conditions(self) -> dict[int, tuple[Rule, ...]]:
        """The rules of each coordinate that has a condition, in the order of `order`. Any one of them makes it active."""
        at = {name: j for j, name in enumerate(self.names)}
        return {at[n]: tuple(map(self._rule, self.ranges[n].requires)) for n in self.order if self.ranges[n].requires}

    @cached_property
    def constraints(self) -> tuple[Rule, ...]:
        return tuple(map(self._rule, self.forbidden))

    @cached_property
    def stretch(self) -> Array:
        """(d,) the length of each axis that values use; categories that may be absent keep their last cell for it."""
        lengths = [r.cells / (r.cells + 1) if may_be_absent_category(r) else 1.0 for r in self.ranges.values()]
        return np.array(lengths)

    @cached_property
    def inactive(self) -> Array:
        """(d,) the place of each coordinate while it's inactive, or absent from a result."""
        places = [INACTIVE if r.ordered else (r.cells + 0.5) / (r.cells + 1) for r in self.ranges.values()]
        return np.array(places)

    def _rule(self, combination: Combination) -> Rule:
        return tuple((self.names.index(c.name), tuple(self.ranges[c.name].where(c))) for c in combination)

    # -- one configuration, exactly ------------------------------------------------------------------------------

    def active(self, values: Mapping[str, Any]) -> list[str]:
        """Return the active hyperparameters of a configuration, in the order of `order`.

        No clause holds for a hyperparameter that `values` lacks.
        """
        active_values: dict[str, Any] = {}
        active = []
        for name in self.order:
            if self.is_active(name, active_values):
                active.append(name)
                if name in values:
                    active_values[name] = values[name]
        return active

    def is_active(self, name: str, values: Mapping[str, Any]) -> bool:
        """Return whether a hyperparameter is active.

        Args:
            name: The hyperparameter.
            values: The values of the active hyperparameters that come before it in `order`.
        """
        requires = self.ranges[name].requires
        return not requires or any(self._holds(combination, values) for combination in requires)

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Return whether a configuration has none of the forbidden combinations."""
        return not any(True for _ in self.broken(values))

    def broken(self, values: Mapping[str, Any]) -> Iterator[Combination]:
        """Yield the forbidden combinations that a configuration has."""
        return (combination for combination in self.forbidden if self._holds(combination, values))

    def _holds(self, combination: Combination, values: Mapping[str, Any]) -> bool:
        return all(c.name in values and self.ranges[c.name].holds(c, values[c.name]) for c in combination)

    # -- many points at once -------------------------------------------------------------------------------------

    def settle(self, points: Array) -> tuple[Array, Mask]:
        """Move points to the places of their configurations.

        An inactive number moves to INACTIVE, an inactive category to the last cell of its axis, which no category has. A category
        in that last cell that isn't inactive is spread over the other cells.

        Args:
            points: (n, d) points of the cube.

        Returns:
            (n, d) the moved points, and (n, d) which coordinates are active.
        """
        settled, active = np.array(points, dtype=float), np.ones(points.shape, dtype=bool)
        for j in range(len(self.names)):
            if j not in self.conditions:
                self._spread(settled, j, active[:, j])
        for j, rules in self.conditions.items():
            on = active[:, j] = np.any([self._hold(rule, settled, active) for rule in rules], axis=0)
            settled[~on, j] = self.inactive[j]
            self._spread(settled, j, on)
        return settled, active

    def _spread(self, settled: Array, j: int, on: Mask) -> None:
        """Move coordinates of an active category from the last cell, if that stands for its absence, to the other cells."""
        part = self.stretch[j]
        if part < 1.0:
            beyond = on & (settled[:, j] >= part)
            over = (settled[beyond, j] - part) / (1.0 - part)
            settled[beyond, j] = np.minimum(over, 1.0 - 1e-12) * part

    def allowed(self, settled: Array, active: Mask) -> Mask:
        """Return which points have none of the forbidden combinations, (n,). Takes what `settle` returns."""
        allowed = np.ones(len(settled), dtype=bool)
        for rule in self.constraints:
            allowed &= ~self._hold(rule, settled, active)
        return allowed

    def _hold(self, rule: Rule, points: Array, active: Mask) -> Mask:
        """Return at which points the combination holds, (n,)."""
        met = np.ones(len(points), dtype=bool)
        for j, intervals in rule:
            u = points[:, j] / self.stretch[j]
            on = [(low <= u) & ((u < high) | (high == 1.0)) for low, high in intervals]
            met &= active[:, j] & np.any(np.reshape(on, (len(on), len(u))), axis=0)
        return met

    # -- the whole space -----------------------------------------------------------------------------------------

    @cached_property
    def survey(self) -> Survey:
        """Return the summary of this space."""
        try:
            return _surveyed(tuple(self.ranges.items()), self.forbidden)
        except TypeError:  # categories that can't be hashed
            return self._survey()

    def _survey(self) -> Survey:
        if self.boxes is None:
            return self._estimated()
        size = share = 0.0
        active, forbidding = dict.fromkeys(self.names, 0.0), np.zeros(len(self.constraints))
        for box in self.boxes:
            forbidding += box.volume * box.forbidden
            if box.forbidden.any():
                continue
            on = [j for j in range(len(self.names)) if self._on(j, box.parts)]
            share += box.volume
            size += math.prod(box.parts[j].count if j in box.parts else self.ranges[self.names[j]].cells for j in on)
            for j in on:
                active[self.names[j]] += box.volume
        active = {name: volume / share if share else 0.0 for name, volume in active.items()}
        return Survey(size, share, active, tuple(map(float, forbidding)), exact=True)

    @cached_property
    def boxes(self) -> Sequence[Box] | None:
        """The boxes into which the ends of all intervals divide the cube; None when they are more than MOST_BOXES."""
        rules = [*self.constraints, *(rule for rules in self.conditions.values() for rule in rules)]
        about = {j for rule in rules for j, _ in rule}
        boxes: list[dict[int, AxisPart]] = [{}]
        for j in (self.names.index(name) for name in self.order):
            if j in about:
                parts = self._parts(j, rules)
                boxes = [
                    {**box, **more} for box in boxes for more in ([{j: p} for p in parts] if self._on(j, box) else [{}])
                ]
            if len(boxes) > MOST_BOXES:
                return None
        return [Box(box, np.array([_inside(rule, box) for rule in self.constraints], dtype=bool)) for box in boxes]

    def _on(self, j: int, box: Mapping[int, AxisPart]) -> bool:
        return j not in self.conditions or any(_inside(rule, box) for rule in self.conditions[j])

    def _parts(self, j: int, rules: Sequence[Rule]) -> list[AxisPart]:
        """Return the parts of an axis within which no clause changes; where all clauses are alike, intervals belong to one part."""
        clauses = [intervals for rule in rules for axis, intervals in rule if axis == j]
        ends = sorted({0.0, 1.0, *(end for intervals in clauses for interval in intervals for end in interval)})
        parts: dict[tuple[bool, ...], AxisPart] = {}
        for low, high in pairwise(ends):
            holds = tuple(_within(0.5 * (low + high), intervals) for intervals in clauses)
            before = parts.get(holds, AxisPart((), 0.0))
            count = self.ranges[self.names[j]].count(low, high)
            parts[holds] = AxisPart((*before.intervals, (low, high)), before.count + count)
        return list(parts.values())

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Return (count, d) allowed points, from each box as often as its volume is large.

        Empty where there are too many boxes, or no box is allowed.
        """
        allowed = [box for box in self.boxes or () if not box.forbidden.any()]
        points = rng.random((count if allowed else 0, len(self.names)))
        volumes = np.array([box.volume for box in allowed])
        chosen = rng.choice(len(allowed), size=len(points), p=volumes / volumes.sum()) if allowed else ()
        for point, box in zip(points, chosen, strict=True):
            for j, part in allowed[box].parts.items():
                point[j] = part.place(point[j]) * self.stretch[j]
        return self.settle(points)[0]

    def _estimated(self) -> Survey:
        """Return the survey of random points."""
        points, active = self.settle(np.random.default_rng(0).random((DRAWN, len(self.names))))
        broken = np.zeros((len(self.constraints), DRAWN), dtype=bool)
        for i, rule in enumerate(self.constraints):
            broken[i] = self._hold(rule, points, active)
        good = ~broken.any(axis=0)
        shares = active[good].mean(axis=0) if good.any() else np.zeros(len(self.names))
        most = math.prod(range_.cells + bool(range_.requires) for range_ in self.ranges.values())
        forbidding = tuple(map(float, broken.mean(axis=1)))
        return Survey(
            most, float(good.mean()), dict(zip(self.names, map(float, shares), strict=True)), forbidding, exact=False
        )


@lru_cache(maxsize=64)
def _surveyed(ranges: tuple[tuple[str, Range], ...], forbidden: tuple[Combination, ...]) -> Survey:
    """Return the survey of a space, cached, since a job's request is read again and again."""
    return Structure(dict(ranges), forbidden)._survey()  # noqa: SLF001 - of this file


def _inside(rule: Rule, box: Mapping[int, AxisPart]) -> bool:
    """Return whether a rule holds in a box. It is tested in the middle of the box; any other point gives the same answer."""
    return all(j in box and _within(0.5 * sum(box[j].intervals[0]), intervals) for j, intervals in rule)


def _within(u: float, intervals: Iterable[Interval]) -> bool:
    return any(low <= u < high for low, high in intervals)


# -- faults ----------------------------------------------------------------------------------------------------------


def _in_order(ranges: Mapping[str, Range]) -> Iterator[str]:
    """Return the names, each after those that its condition is about. Names that require each other in a circle are left out."""
    waiting, done = list(ranges), set[str]()
    about = {name: {clause.name for rule in range_.requires for clause in rule} for name, range_ in ranges.items()}
    while waiting:
        name = next((name for name in waiting if about[name] <= done), None)
        if name is None:
            return
        waiting.remove(name)
        done.add(name)
        yield name


def faults(
    ranges: Mapping[str, Range], forbidden: Sequence[Combination], requires_path: str, forbid_path: str
) -> Iterator[Fault]:
    """Yield what makes the conditions and constraints of a space impossible.

    Args:
        ranges: The ranges with their conditions; the ranges themselves have no faults.
        forbidden: The forbidden combinations.
        requires_path: The path of the conditions in the request.
        forbid_path: The path of the forbidden combinations in the request.
    """
    wrong = [*_clause_faults(ranges, forbidden, requires_path, forbid_path)]
    yield from wrong
    if wrong:
        return
    circle = [name for name in ranges if name not in set(_in_order(ranges))]
    if circle:
        yield Fault(requires_path, f"{', '.join(circle)} require each other in a circle, so that none can be first.")
        return
    survey = Structure(ranges, tuple(forbidden)).survey
    if survey.share == 0:
        yield Fault(forbid_path, "every configuration is forbidden. Forbid less.")
        return
    for name, share in survey.active.items():
        if share == 0:
            condition = " or ".join(map(words, ranges[name].requires))
            yield Fault(
                f"{requires_path} ({name})",
                f"this hyperparameter can never be active: «{condition}» holds for no allowed configuration.",
            )


def _clause_faults(
    ranges: Mapping[str, Range], forbidden: Sequence[Combination], requires_path: str, forbid_path: str
) -> Iterator[Fault]:
    """Yield the faults of single clauses."""
    for name, range_ in ranges.items():
        path = f"{requires_path} ({name})"
        clauses = [clause for combination in range_.requires for clause in combination]
        yield from (Fault(path, message) for message in _of_clauses(clauses, ranges))
        yield from (Fault(path, "it requires itself.") for clause in clauses if clause.name == name)
    for combination in forbidden:
        whole = f"«{words(combination)}»"
        for message in _of_clauses(combination, ranges):
            yield Fault(forbid_path, message if message.startswith(whole) else f"{whole}: {message}")


def _of_clauses(clauses: Iterable[Clause], ranges: Mapping[str, Range]) -> Iterator[str]:
    for clause in clauses:
        if clause.name not in ranges:
            yield f"there is no hyperparameter {clause.name!r} with a range. Known: {', '.join(ranges)}."
        else:
            yield from ranges[clause.name].clause_faults(clause)
