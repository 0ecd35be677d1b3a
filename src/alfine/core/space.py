"""The parameter space: ranges and scalings, values <-> unit cube <-> text, sampling and grid.

Each hyperparameter is one coordinate of the unit cube [0, 1]^d, its scaling already applied. A value of a discrete
range (Integer, Categorical) is the centre of its cell, so that rounding is symmetric and every cell equally likely.
Scaling names and their formulas are AMT's: «Linear» is uniform in x, «Logarithmic» in log x, «ReverseLogarithmic» in
log(1 - x); «Auto» is decided by the rule of `_auto`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alfine.core.errors import Fault, InvalidSpec

Array = npt.NDArray[np.float64]
Hyperparameters = dict[str, Any]

SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")

# Auto takes the logarithm from this ratio of MaxValue to MinValue on. Two decades is where a uniform draw puts only
# 10 % of its points into the lower decade; an integer range needs three, since its lowest values are so few.
AUTO_RATIO_CONTINUOUS = 100.0
AUTO_RATIO_INTEGER = 1000.0

LARGEST_SIZE = 2**53
ROUNDING = 1e-9  # of a range's width: what a value may lie beyond its end for having been computed


class Range(Protocol):
    """What the three kinds of range have in common: one coordinate of the unit cube each."""

    @property
    def cells(self) -> float:
        """How many distinct values there are; infinity for a continuous range."""

    def to_unit(self, value: Any) -> float: ...
    def from_unit(self, u: float) -> Any: ...
    def to_text(self, value: Any) -> str: ...
    def from_text(self, text: str) -> Any: ...
    def contains(self, value: Any) -> bool: ...
    def faults(self, path: str) -> Iterator[Fault]: ...


@dataclass(frozen=True, slots=True)
class _Scale:
    """A monotone map of [low, high] onto [0, 1], and back."""

    forward: Callable[[float], float]
    backward: Callable[[float], float]
    low: float
    high: float

    def to_unit(self, x: float) -> float:
        a, b = self.forward(self.low), self.forward(self.high)
        return min(1.0, max(0.0, (self.forward(x) - a) / (b - a)))

    def from_unit(self, u: float) -> float:
        a, b = self.forward(self.low), self.forward(self.high)
        return min(self.high, max(self.low, self.backward(a + u * (b - a))))


def _scale(scaling: str, low: float, high: float) -> _Scale:
    if scaling == "Logarithmic":
        return _Scale(math.log, math.exp, low, high)
    if scaling == "ReverseLogarithmic":
        return _Scale(lambda x: -math.log1p(-x), lambda z: -math.expm1(-z), low, high)
    return _Scale(float, float, low, high)


def _auto(scaling: str, low: float, high: float, ratio: float) -> str:
    if scaling != "Auto":
        return scaling
    return "Logarithmic" if low > 0 and high / low >= ratio else "Linear"


def _bounds_faults(path: str, low: float, high: float, scaling: str, *, integer: bool) -> Iterator[Fault]:
    if not (math.isfinite(low) and math.isfinite(high)):
        yield Fault(path, f"MinValue {low} and MaxValue {high} must be finite numbers.")
        return
    if not low < high:
        remedy = "A fixed value belongs in StaticHyperParameters" if low == high else "Swap them"
        yield Fault(path, f"MinValue {low} must be below MaxValue {high}. {remedy}.")
    if scaling not in SCALINGS:
        yield Fault(f"{path}.ScalingType", f"{scaling!r} isn't a scaling. Use one of {', '.join(SCALINGS)}.")
    if scaling == "Logarithmic" and low <= 0:
        yield Fault(path, f"MinValue {low} can't be scaled Logarithmic. Use a MinValue above 0, or ScalingType Linear.")
    if scaling == "ReverseLogarithmic" and integer:
        yield Fault(path, "ReverseLogarithmic is for continuous ranges. Use Linear or Logarithmic.")
    elif scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        yield Fault(path, f"ReverseLogarithmic needs 0 <= MinValue and MaxValue < 1, not {low} to {high}.")


@dataclass(frozen=True, slots=True)
class Continuous:
    """A real hyperparameter in [low, high], both ends included."""

    low: float
    high: float
    scaling: str = field(default="Auto", kw_only=True)

    @property
    def cells(self) -> float:
        return math.inf

    @property
    def effective_scaling(self) -> str:
        return _auto(self.scaling, self.low, self.high, AUTO_RATIO_CONTINUOUS)

    def _scale(self) -> _Scale:
        return _scale(self.effective_scaling, self.low, self.high)

    def to_unit(self, value: Any) -> float:
        return self._scale().to_unit(min(self.high, max(self.low, float(value))))

    def from_unit(self, u: float) -> float:
        return self._scale().from_unit(float(u))

    def to_text(self, value: Any) -> str:
        return repr(float(value))

    def from_text(self, text: str) -> float:
        return float(text)

    def contains(self, value: Any) -> bool:
        room = ROUNDING * (self.high - self.low)
        return (
            isinstance(value, Real)
            and not isinstance(value, bool)
            and self.low - room <= float(value) <= self.high + room
        )

    def faults(self, path: str) -> Iterator[Fault]:
        return _bounds_faults(path, self.low, self.high, self.scaling, integer=False)


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer hyperparameter in [low, high], both ends included."""

    low: int
    high: int
    scaling: str = field(default="Auto", kw_only=True)

    @property
    def cells(self) -> float:
        return self.high - self.low + 1

    @property
    def effective_scaling(self) -> str:
        return _auto(self.scaling, self.low, self.high, AUTO_RATIO_INTEGER)

    def _scale(self) -> _Scale:
        # Half a unit beyond each end: every integer owns the same share of the scaled axis as its neighbours.
        return _scale(self.effective_scaling, self.low - 0.5, self.high + 0.5)

    def to_unit(self, value: Any) -> float:
        return self._scale().to_unit(min(self.high, max(self.low, int(value))))

    def from_unit(self, u: float) -> int:
        x = self._scale().from_unit(float(u))
        return min(self.high, max(self.low, math.floor(x + 0.5)))

    def to_text(self, value: Any) -> str:
        return str(int(value))

    def from_text(self, text: str) -> int:
        return int(text)

    def contains(self, value: Any) -> bool:
        whole = isinstance(value, Real) and not isinstance(value, bool) and float(value).is_integer()
        return whole and self.low <= int(value) <= self.high

    def faults(self, path: str) -> Iterator[Fault]:
        return _bounds_faults(path, self.low, self.high, self.scaling, integer=True)


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of a list of values without an order. Text stays as it is; numbers, booleans and None are written as JSON."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))

    @property
    def cells(self) -> float:
        return len(self.values)

    def _index(self, value: Any) -> int:
        text = self.to_text(value)  # by text, since True == 1 in Python
        for index, known in enumerate(self.values):
            if self.to_text(known) == text:
                return index
        raise InvalidSpec([Fault("", f"{value!r} isn't one of {', '.join(map(repr, self.values))}.")])

    def to_unit(self, value: Any) -> float:
        return (self._index(value) + 0.5) / len(self.values)

    def from_unit(self, u: float) -> Any:
        k = len(self.values)
        return self.values[min(k - 1, max(0, int(u * k)))]

    def to_text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return json.dumps(value.item() if isinstance(value, np.generic) else value)

    def from_text(self, text: str) -> Any:
        return self.values[self._index(text)]

    def contains(self, value: Any) -> bool:
        text = self.to_text(value)
        return any(self.to_text(known) == text for known in self.values)

    def faults(self, path: str) -> Iterator[Fault]:
        texts = [self.to_text(value) for value in self.values]
        if not texts:
            yield Fault(path, "a categorical range needs at least one value.")
        repeated = sorted({text for text in texts if texts.count(text) > 1})
        if repeated:
            yield Fault(path, f"the values must differ from each other; {', '.join(repeated)} appears more than once.")


@dataclass(frozen=True)
class ParameterSpace:
    """The tunable hyperparameters in a fixed order; n points of it are an (n, d) array in the unit cube."""

    ranges: Mapping[str, Range]

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
    def cells(self) -> Array:
        """(d,) how many distinct values each coordinate takes; infinity where it is continuous."""
        return np.array([r.cells for r in self.ranges.values()], dtype=float)

    @cached_property
    def size(self) -> int | None:
        """How many distinct configurations there are; None when without end, or more than floats can count."""
        if any(math.isinf(r.cells) for r in self.ranges.values()):
            return None
        size = math.prod(int(r.cells) for r in self.ranges.values())
        return size if size <= LARGEST_SIZE else None

    def to_unit(self, hyperparameters: Mapping[str, Any]) -> Array:
        """(d,) the point of the cube; values outside their range are moved to its nearest end."""
        return np.array([r.to_unit(hyperparameters[name]) for name, r in self.ranges.items()], dtype=float)

    def from_unit(self, point: Array) -> Hyperparameters:
        """The configuration in whose cell the point lies, in native types."""
        return {name: r.from_unit(float(u)) for (name, r), u in zip(self.ranges.items(), point, strict=True)}

    def snap(self, points: Array) -> Array:
        """(n, d) -> (n, d), each coordinate moved to the value it stands for; idempotent."""
        snapped = np.array(points, dtype=float)
        for j, r in enumerate(self.ranges.values()):
            if not math.isinf(r.cells):
                snapped[:, j] = [r.to_unit(r.from_unit(u)) for u in snapped[:, j]]
        clipped: Array = np.clip(snapped, 0.0, 1.0)
        return clipped

    def sample(self, rng: np.random.Generator) -> Hyperparameters:
        """One configuration, each hyperparameter uniform on its scale and independent of the others."""
        return self.from_unit(rng.random(self.dimension))

    def grid(self) -> Iterator[Hyperparameters]:
        """Every configuration of a finite space, the last hyperparameter fastest."""
        columns = []
        for r in self.ranges.values():
            k = int(r.cells)
            low = getattr(r, "low", None)
            columns.append(
                [low + i for i in range(k)] if low is not None else [r.from_unit((i + 0.5) / k) for i in range(k)]
            )
        for values in itertools.product(*columns):
            yield dict(zip(self.names, values, strict=True))

    def to_text(self, hyperparameters: Mapping[str, Any]) -> dict[str, str]:
        """AMT's strings: «7», «0.4630125855085939», categories verbatim."""
        return {name: r.to_text(hyperparameters[name]) for name, r in self.ranges.items()}

    def from_text(self, texts: Mapping[str, str]) -> Hyperparameters:
        """Native values of AMT's strings."""
        return {name: r.from_text(texts[name]) for name, r in self.ranges.items()}

    def check(self, hyperparameters: Mapping[str, Any]) -> None:
        """Raise InvalidSpec unless every hyperparameter is there and inside its range."""
        faults = [Fault(name, "this hyperparameter is missing.") for name in self.names if name not in hyperparameters]
        faults += [
            Fault(name, "the space has no such hyperparameter.") for name in hyperparameters if name not in self.ranges
        ]
        faults += [
            Fault(name, f"{hyperparameters[name]!r} lies outside {r}.")
            for name, r in self.ranges.items()
            if name in hyperparameters and not r.contains(hyperparameters[name])
        ]
        if faults:
            raise InvalidSpec(faults)
