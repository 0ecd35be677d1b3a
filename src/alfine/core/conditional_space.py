"""What makes a space more than a product of ranges: which hyperparameters are active, and which combinations are forbidden.

All of it is said on the axes of the unit cube. A clause on one hyperparameter holds on intervals of its axis (`Range.where`); a
condition is met where one of its combinations holds, a combination where all its clauses do, and no clause holds of a hyperparameter
that isn't active. Between the ends of all intervals of an axis nothing changes, so that the cube falls into boxes, few of them:
`survey` goes through them to say exactly what can happen. Symbols: points (n, d) of the cube, coordinates in the order of the space.
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

from alfine.core.conditions import Combination, words
from alfine.core.errors import Fault
from alfine.core.ranges import Array, Interval, Range

Mask = npt.NDArray[np.bool_]
Rule = tuple[tuple[int, tuple[Interval, ...]], ...]  # a combination: on each of these axes in one of these intervals

MOST_BOXES = 5_000  # beyond, what can happen is estimated
DRAWN = 20_000  # points that an estimate rests on
INACTIVE = 0.5  # where an inactive number lies: the middle is near to all that it could be


@dataclass(frozen=True, slots=True)
class Survey:
    """What can happen in a space. size: distinct allowed configurations, infinity for without end; share: of the cube's volume that is
    allowed; active: of the allowed volume, the share in which each hyperparameter is active; forbidding: the share of the volume
    that each forbidden combination takes. exact: else share is an estimate, and size an upper bound.
    """

    size: float
    share: float
    active: Mapping[str, float]
    forbidding: Sequence[float]
    exact: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Of an axis: intervals, ascending, and how many values lie in them."""

    intervals: tuple[Interval, ...]
    count: float

    @property
    def length(self) -> float:
        return sum(high - low for low, high in self.intervals)

    def place(self, share: float) -> float:
        """The point below which this share of its length lies."""
        rest = share * self.length
        for low, high in self.intervals:
            if rest < high - low:
                return low + rest
            rest -= high - low
        return self.intervals[-1][1]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of each active axis that a rule is about, and which forbidden combinations it has."""

    parts: Mapping[int, Part]
    forbidden: Mask

    @property
    def volume(self) -> float:
        return math.prod(part.length for part in self.parts.values())


@dataclass(frozen=True)
class Structure:
    """Conditions and constraints of a space without faults, see `faults`."""

    ranges: Mapping[str, Range]
    forbidden: tuple[Combination, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The names, each after those that its condition is about, else in the order of the space."""
        return tuple(_in_order(self.ranges))

    @cached_property
    def conditions(self) -> dict[int, tuple[Rule, ...]]:
        """By coordinate, in the order above; those without a condition aren't there."""
        at = {name: j for j, name in enumerate(self.names)}
        return {at[n]: tuple(map(self._rule, self.ranges[n].requires)) for n in self.order if self.ranges[n].requires}

    @cached_property
    def constraints(self) -> tuple[Rule, ...]:
        return tuple(map(self._rule, self.forbidden))

    @cached_property
    def stretch(self) -> Array:
        """(d,) the part of each axis that an active coordinate has: categories with a condition leave a cell for being inactive."""
        beside = [r.cells / (r.cells + 1) if r.requires and not r.ordered else 1.0 for r in self.ranges.values()]
        return np.array(beside)

    @cached_property
    def inactive(self) -> Array:
        """(d,) where each coordinate lies that is inactive."""
        places = [INACTIVE if r.ordered else (r.cells + 0.5) / (r.cells + 1) for r in self.ranges.values()]
        return np.array(places)

    def _rule(self, combination: Combination) -> Rule:
        return tuple((self.names.index(c.name), tuple(self.ranges[c.name].where(c))) for c in combination)

    # -- of configurations, exactly ------------------------------------------------------------------------------

    def active(self, values: Mapping[str, Any]) -> list[str]:
        """The active hyperparameters, in order. Nothing holds of those that are absent."""
        found: dict[str, Any] = {}
        active = []
        for name in self.order:
            if self.is_active(name, found):
                active.append(name)
                if name in values:
                    found[name] = values[name]
        return active

    def is_active(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether it's active where those before it in the order have these values, the inactive ones none."""
        requires = self.ranges[name].requires
        return not requires or any(self._holds(each, values) for each in requires)

    def allows(self, values: Mapping[str, Any]) -> bool:
        return not any(True for _ in self.broken(values))

    def broken(self, values: Mapping[str, Any]) -> Iterator[Combination]:
        """The forbidden combinations that a configuration has."""
        return (each for each in self.forbidden if self._holds(each, values))

    def _holds(self, combination: Combination, values: Mapping[str, Any]) -> bool:
        return all(c.name in values and self.ranges[c.name].holds(c, values[c.name]) for c in combination)

    # -- of many points at once ----------------------------------------------------------------------------------

    def settle(self, points: Array) -> tuple[Array, Mask]:
        """Points moved to where their configurations lie, and (n, d) which coordinates are active.

        An inactive number lies at INACTIVE, an inactive category in a cell of its own, the last. Where a point of this
        cell is active, it's spread over the others.
        """
        settled, active = np.array(points, dtype=float), np.ones(points.shape, dtype=bool)
        for j, rules in self.conditions.items():
            on = active[:, j] = np.any([self._hold(rule, settled, active) for rule in rules], axis=0)
            settled[~on, j] = self.inactive[j]
            if self.stretch[j] < 1.0:
                beyond, part = on & (settled[:, j] >= self.stretch[j]), self.stretch[j]
                over = (settled[beyond, j] - part) / (1.0 - part)
                settled[beyond, j] = np.clip(over, 0.0, 1.0 - 1e-12) * part
        return settled, active

    def allowed(self, settled: Array, active: Mask) -> Mask:
        """(n,) which points have none of the forbidden combinations."""
        good = np.ones(len(settled), dtype=bool)
        for rule in self.constraints:
            good &= ~self._hold(rule, settled, active)
        return good

    def _hold(self, rule: Rule, points: Array, active: Mask) -> Mask:
        """(n,) whether the combination holds."""
        met = np.ones(len(points), dtype=bool)
        for j, intervals in rule:
            u = points[:, j] / self.stretch[j]
            on = [(low <= u) & ((u < high) | (high == 1.0)) for low, high in intervals]
            met &= active[:, j] & np.any(np.reshape(on, (len(on), len(u))), axis=0)
        return met

    # -- of the whole space --------------------------------------------------------------------------------------

    @cached_property
    def survey(self) -> Survey:
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
        """All that clauses tell apart; None when they are too many."""
        rules = [*self.constraints, *(rule for rules in self.conditions.values() for rule in rules)]
        about = {j for rule in rules for j, _ in rule}
        boxes: list[dict[int, Part]] = [{}]
        for j in (self.names.index(name) for name in self.order):
            if j in about:
                parts = self._parts(j, rules)
                boxes = [
                    {**box, **more} for box in boxes for more in ([{j: p} for p in parts] if self._on(j, box) else [{}])
                ]
            if len(boxes) > MOST_BOXES:
                return None
        return [Box(box, np.array([_inside(rule, box) for rule in self.constraints], dtype=bool)) for box in boxes]

    def _on(self, j: int, box: Mapping[int, Part]) -> bool:
        return j not in self.conditions or any(_inside(rule, box) for rule in self.conditions[j])

    def _parts(self, j: int, rules: Sequence[Rule]) -> list[Part]:
        """The parts of an axis within which no clause changes; those between which none tells a difference are one."""
        clauses = [intervals for rule in rules for axis, intervals in rule if axis == j]
        ends = sorted({0.0, 1.0, *(end for intervals in clauses for interval in intervals for end in interval)})
        found: dict[tuple[bool, ...], Part] = {}
        for low, high in pairwise(ends):
            holds = tuple(_within(0.5 * (low + high), intervals) for intervals in clauses)
            before = found.get(holds, Part((), 0.0))
            count = self.ranges[self.names[j]].count(low, high)
            found[holds] = Part((*before.intervals, (low, high)), before.count + count)
        return list(found.values())

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """(count, d) allowed points, each box as often as its volume says. Empty where there are too many boxes, or none is allowed."""
        allowed = [box for box in self.boxes or () if not box.forbidden.any()]
        points = rng.random((count if allowed else 0, len(self.names)))
        volumes = np.array([box.volume for box in allowed])
        chosen = rng.choice(len(allowed), size=len(points), p=volumes / volumes.sum()) if allowed else ()
        for point, box in zip(points, chosen, strict=True):
            for j, part in allowed[box].parts.items():
                point[j] = part.place(point[j]) * self.stretch[j]
        return self.settle(points)[0]

    def _estimated(self) -> Survey:
        points, active = self.settle(np.random.default_rng(0).random((DRAWN, len(self.names))))
        broken = np.zeros((len(self.constraints), DRAWN), dtype=bool)
        for i, rule in enumerate(self.constraints):
            broken[i] = self._hold(rule, points, active)
        good = ~broken.any(axis=0)
        shares = active[good].mean(axis=0) if good.any() else np.zeros(len(self.names))
        most = math.prod(each.cells + bool(each.requires) for each in self.ranges.values())
        forbidding = tuple(map(float, broken.mean(axis=1)))
        return Survey(
            most, float(good.mean()), dict(zip(self.names, map(float, shares), strict=True)), forbidding, exact=False
        )


@lru_cache(maxsize=64)
def _surveyed(ranges: tuple[tuple[str, Range], ...], forbidden: tuple[Combination, ...]) -> Survey:
    """Kept, since a job's request is read again and again."""
    return Structure(dict(ranges), forbidden)._survey()  # noqa: SLF001 - its own


def _inside(rule: Rule, box: Mapping[int, Part]) -> bool:
    return all(j in box and _within(0.5 * sum(box[j].intervals[0]), intervals) for j, intervals in rule)


def _within(u: float, intervals: Iterable[Interval]) -> bool:
    return any(low <= u < high for low, high in intervals)


# -- faults ----------------------------------------------------------------------------------------------------------


def _in_order(ranges: Mapping[str, Range]) -> Iterator[str]:
    """Each name after those that its condition is about; the rest, of a circle, never comes."""
    waiting, done = list(ranges), set[str]()
    while waiting:
        name = next((n for n in waiting if {c.name for each in ranges[n].requires for c in each} <= done), None)
        if name is None:
            return
        waiting.remove(name)
        done.add(name)
        yield name


def faults(
    ranges: Mapping[str, Range], forbidden: Sequence[Combination], requires_path: str, forbid_path: str
) -> Iterator[Fault]:
    """What makes conditions and constraints of ranges without faults impossible."""
    found = []
    for name, each in ranges.items():
        where = f"{requires_path} ({name})"
        found += [Fault(where, text) for text in _of_clauses([c for one in each.requires for c in one], ranges)]
        found += [Fault(where, "it requires itself.") for one in each.requires for c in one if c.name == name]
    for clauses in forbidden:
        whole = f"«{words(clauses)}»"
        found += [
            Fault(forbid_path, text if text.startswith(whole) else f"{whole}: {text}")
            for text in _of_clauses(clauses, ranges)
        ]
    yield from found
    if found:
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
            conditions = " or ".join(map(words, ranges[name].requires))
            yield Fault(
                f"{requires_path} ({name})",
                f"it can never be active: «{conditions}» holds of no allowed configuration.",
            )


def _of_clauses(clauses: Iterable[Any], ranges: Mapping[str, Range]) -> Iterator[str]:
    for clause in clauses:
        if clause.name not in ranges:
            yield f"there is no hyperparameter {clause.name!r} with a range. Known: {', '.join(ranges)}."
        else:
            yield from ranges[clause.name].clause_faults(clause)
