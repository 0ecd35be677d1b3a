"""The ranges of hyperparameters: values <-> a coordinate of the unit cube <-> text.

Each hyperparameter is one coordinate of the unit cube [0, 1]^d, its scaling already applied. A discrete range (Integer, Categorical)
divides its axis into cells, one for each value; the value lies at the centre of its cell, so that rounding is symmetric and a uniform
point falls into every cell equally often.

The scalings have AMT's names: «Linear» is uniform in x, «Logarithmic» in log x, «ReverseLogarithmic» in log(1 - x). «Auto» is
Logarithmic for a range of positive numbers that spans several decades, and Linear otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alfine.core.conditions import ORDERS, Clause, Combination, alternatives, as_text, number_of, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import Face
from alfine.core.messages import Message, naming

Array = npt.NDArray[np.float64]
Interval = tuple[float, float]

MOST_SHOWN = 8  # categories that a message lists
SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")

# From this ratio of MaxValue to MinValue on, Auto is Logarithmic. With two decades a uniform draw puts only 10 % of its points into
# the lower one; an integer range needs three, since its lowest decade has so few values.
AUTO_RATIO_CONTINUOUS = 100.0
AUTO_RATIO_INTEGER = 1000.0

ROUNDING = 1e-9  # in widths of the range: a value may lie this far outside, since it may be the result of a calculation


class Range(Protocol):
    """A range of values of one hyperparameter: one coordinate of the unit cube. The base of the three kinds."""

    @property
    def cells(self) -> float:
        """The number of distinct values; infinity for a continuous range."""

    @property
    def ordered(self) -> bool:
        """Return whether the values are numbers."""

    @property
    def requires(self) -> tuple[Combination, ...]:
        """The condition under which the hyperparameter is active: any of these combinations. Empty: it's always active."""

    def requiring(self, requires: tuple[Combination, ...]) -> Range:
        """Return the same range with another condition."""

    def holds(self, clause: Clause, value: Any) -> bool:
        """Return whether a clause about this hyperparameter holds for one of its values."""

    def where(self, clause: Clause) -> list[Interval]:
        """Return the parts of the axis on which a clause holds: intervals [low, high), ascending, that don't touch."""

    def count(self, low: float, high: float) -> float:
        """Return how many values lie between two ends of intervals that `where` returns; infinity for a continuous range."""

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        """Yield why a clause makes no sense for this range; nothing where it does."""

    def to_unit(self, value: Any) -> float:
        """Return the coordinate of a value, in [0, 1]; numbers outside the range are moved to its nearest end."""

    def from_unit(self, u: float) -> Any:
        """Return the value in whose cell the coordinate `u` lies, in its own type."""

    def to_text(self, value: Any) -> str:
        """Return a value as AMT's requests have it, a string."""

    def from_text(self, text: str) -> Any:
        """Return the value that AMT's string means. Raise ValueError where it means none."""

    def contains(self, value: Any) -> bool:
        """Return whether a value lies inside the range."""

    def faults(self, path: str) -> Iterator[Fault]:
        """Yield what is wrong with the range itself; `path` is its path in the request."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """A monotone map of [low, high] onto [0, 1] and its inverse: (forward(x) - forward(low)) / (forward(high) - forward(low))."""

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
    """Return the scaling that is meant; Auto is Logarithmic from this ratio of high to low on."""
    if scaling != "Auto":
        return scaling
    return "Logarithmic" if low > 0 and high / low >= ratio else "Linear"


def scaling_of(range_: Range) -> str:
    """Return a range's scaling for people: «Logarithmic», or «Linear (Auto)» where Auto chose it; empty for categories."""
    given = getattr(range_, "scaling", "")
    return f"{getattr(range_, 'effective_scaling', '')} (Auto)" if given == "Auto" else given


def values_in_words(range_: Range) -> str:
    """Return the values of a range for people: «the whole numbers 1 to 5», «0.1 to 1.0», «'adam', 'sgd'»."""
    match range_:
        case Categorical(values=values):
            return ", ".join(map(repr, values[:MOST_SHOWN])) + (", …" if len(values) > MOST_SHOWN else "")
        case Integer(low=low, high=high):
            return f"the whole numbers {low} to {high}"
        case Continuous(low=low, high=high):
            return f"{low} to {high}"
    return str(range_)


def whole_numbers(name: str, range_: Range | None) -> Message | None:
    """Return a sentence that says why a range is one of integers, and how to have a continuous one; None for other ranges.

    Errors about a range have it, since `{min: 0, max: 1}` in a job file is an integer range, which may not be what was meant.
    """
    if not isinstance(range_, Integer):
        return None
    size = int(range_.cells)
    in_file = naming(
        "{}: {min} {} and {max} {} are whole numbers, so {} is an integer range with {} values; write {:.1f} and {:.1f}, or "
        "{continuous}, for a continuous one.",
        *(name, range_.low, range_.high, name, size, range_.low, range_.high),
    )
    in_python = f"{name} is an integer range with {size} values; alfine.Continuous makes a continuous one."
    in_aws = f"{name} is an integer range with {size} values."
    return naming("{}", in_file, instead={Face.AWS: in_aws, Face.PYTHON: in_python, Face.TUNER: in_python})


def _bounds_faults(path: str, low: float, high: float, scaling: str, *, integer: bool) -> Iterator[Fault]:
    if not (math.isfinite(low) and math.isfinite(high)):
        yield Fault(path, naming("{min} {} and {max} {} must be finite numbers.", low, high))
        return
    if not math.isfinite(high - low):
        yield Fault(path, naming("{min} {} and {max} {} lie too far apart to calculate with.", low, high))
    if not low < high:
        remedy = naming("A fixed value belongs in {static}") if low == high else "Swap them"
        yield Fault(path, naming("{min} {} must be below {max} {}. {}.", low, high, remedy))
    if scaling not in SCALINGS:
        yield Fault(f"{path}.ScalingType", f"{scaling!r} isn't a scaling. Use one of {', '.join(SCALINGS)}.")
    if scaling == "Logarithmic" and low <= 0:
        message = "{min} {} can't be scaled Logarithmic. Use a {min} above 0, or {scaling} Linear."
        yield Fault(path, naming(message, low))
    if scaling == "ReverseLogarithmic" and integer:
        message = "ReverseLogarithmic is for continuous ranges, and {min} {} and {max} {} are whole numbers. Use Linear or Logarithmic."
        yield Fault(path, naming(message, low, high))
    elif scaling == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        yield Fault(path, naming("ReverseLogarithmic needs 0 <= {min} and {max} < 1, not {} to {}.", low, high))


@dataclass(frozen=True, slots=True)
class Continuous:
    """A range of real numbers.

    Args:
        low: The smallest value.
        high: The largest value.
        scaling: On which scale values are drawn evenly: «Linear», «Logarithmic» (for a low end above 0), «ReverseLogarithmic» (for
            0 <= low and high < 1, finer towards 1), or «Auto», which is Logarithmic where high / low is 100 or more.
        requires: The condition under which the hyperparameter is active, such as `{"optimizer": "sgd"}`; of a list any one is
            enough. Where it's inactive, configurations leave it out. None: it's always active.

    Example:
        >>> space = {"optimizer": Categorical(["adam", "sgd"]), "momentum": Continuous(0, 0.99, requires={"optimizer": "sgd"})}
    """

    low: float
    high: float
    scaling: str = field(default="Auto", kw_only=True)
    requires: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", _required(self.requires))

    def __repr__(self) -> str:
        scaling = [] if self.scaling == "Auto" else [f"scaling={self.scaling!r}"]
        return _shown(self, [repr(self.low), repr(self.high), *scaling])

    @property
    def cells(self) -> float:
        return math.inf

    @property
    def ordered(self) -> bool:
        return True

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

    def requiring(self, requires: tuple[Combination, ...]) -> Range:
        return replace(self, requires=requires)

    def holds(self, clause: Clause, value: Any) -> bool:
        return clause.holds("", float(value))

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        if clause.operator not in ORDERS:  # a single value has no length on the axis
            return [] if clause.operator == "is" else [(0.0, 1.0)]
        return _joined(_beside(clause.operator, self.to_unit(float(value))) for value in clause.values)

    def count(self, low: float, high: float) -> float:  # noqa: ARG002 - the protocol's signature
        return math.inf

    def faults(self, path: str) -> Iterator[Fault]:
        return _bounds_faults(path, self.low, self.high, self.scaling, integer=False)


@dataclass(frozen=True, slots=True)
class Integer:
    """A range of integers.

    Args:
        low: The smallest value.
        high: The largest value.
        scaling: On which scale values are drawn evenly: «Linear», «Logarithmic» (for a low end above 0), or «Auto», which is
            Logarithmic where high / low is 1000 or more.
        requires: As for `Continuous`.
    """

    low: int
    high: int
    scaling: str = field(default="Auto", kw_only=True)
    requires: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            value = getattr(self, end)
            if isinstance(value, float) and value.is_integer():  # 1e3 is a float in Python
                object.__setattr__(self, end, int(value))
        object.__setattr__(self, "requires", _required(self.requires))

    def __repr__(self) -> str:
        scaling = [] if self.scaling == "Auto" else [f"scaling={self.scaling!r}"]
        return _shown(self, [repr(self.low), repr(self.high), *scaling])

    @property
    def cells(self) -> float:
        return self.high - self.low + 1

    @property
    def ordered(self) -> bool:
        return True

    @property
    def effective_scaling(self) -> str:
        return _auto(self.scaling, self.low, self.high, AUTO_RATIO_INTEGER)

    def _scale(self) -> _Scale:
        # Half a unit beyond each end, so that the cell of the first and the last value is as large as the others.
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

    def requiring(self, requires: tuple[Combination, ...]) -> Range:
        return replace(self, requires=requires)

    def holds(self, clause: Clause, value: Any) -> bool:
        return clause.holds("", float(value))

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        if clause.operator in ORDERS:
            return _joined(_beside(clause.operator, self._edge(clause.operator, float(v))) for v in clause.values)
        cells = _joined((self._below(float(v)), self._below(float(v) + 1)) for v in clause.values)
        return cells if clause.operator == "is" else _rest(cells)

    def _edge(self, operator: str, value: float) -> float:
        """Return the place on the axis that separates the integers for which a comparison with the value holds from the others."""
        return self._below(math.ceil(value) if operator in ("at-least", "below") else math.floor(value) + 1)

    def _below(self, value: float) -> float:
        """Return the lower end of an integer's cell on the axis."""
        return self._scale().to_unit(min(self.high + 0.5, max(self.low - 0.5, value - 0.5)))

    def count(self, low: float, high: float) -> float:
        inset = 1e-6 * (high - low)
        return self.from_unit(high - inset) - self.from_unit(low + inset) + 1

    def faults(self, path: str) -> Iterator[Fault]:
        return _bounds_faults(path, self.low, self.high, self.scaling, integer=True)


@dataclass(frozen=True, slots=True)
class Categorical:
    """A list of values without an order, of which a configuration has one.

    Args:
        values: The values, each of them once. Training jobs get strings as they are; numbers, booleans and None as JSON.
        requires: As for `Continuous`.
    """

    values: Sequence[Any]
    requires: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.values, str | set | frozenset) or not isinstance(self.values, Iterable):
            raise InvalidSpec([Fault("Categorical", f"{self.values!r} isn't a list. Give the values as a list.")])
        object.__setattr__(self, "values", tuple(self.values))
        object.__setattr__(self, "requires", _required(self.requires))

    def __repr__(self) -> str:
        return _shown(self, [repr(list(self.values))])

    @property
    def cells(self) -> float:
        return len(self.values)

    @property
    def ordered(self) -> bool:
        return False

    def requiring(self, requires: tuple[Combination, ...]) -> Range:
        return replace(self, requires=requires)

    def holds(self, clause: Clause, value: Any) -> bool:
        return clause.holds(self.to_text(value), None)

    def where(self, clause: Clause) -> list[Interval]:
        k = len(self.values)
        return _joined((i / k, (i + 1) / k) for i, value in enumerate(self.values) if self.holds(clause, value))

    def count(self, low: float, high: float) -> float:
        return round((high - low) * len(self.values))

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        texts = [self.to_text(value) for value in self.values]
        if clause.operator in ORDERS:
            odd = [text for text in (*texts, *clause.values) if number_of(text) is None]
            why = "which isn't a number: only = and != compare it"
        else:
            odd, why = [text for text in clause.values if text not in texts], f"which isn't one of {', '.join(texts)}"
        yield from (f"«{clause}» compares {clause.name} with {text!r}, {why}." for text in odd[:1])

    def _index(self, value: Any) -> int:
        text = self.to_text(value)  # compared as text, since True == 1 in Python
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
        return as_text(value)

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


# -- what a range requires -------------------------------------------------------------------------------------------


def _required(given: Any) -> tuple[Combination, ...]:
    """Return the condition that a caller means."""
    try:
        return alternatives(given)
    except InvalidSpec as error:
        raise InvalidSpec([Fault("requires", fault.message) for fault in error.faults]) from error


def _shown(range_: Range, arguments: list[str]) -> str:
    """Return a range as it's written in Python."""
    requires = [words(combination) for combination in range_.requires]
    if requires:
        arguments.append(f"requires={(requires[0] if len(requires) == 1 else requires)!r}")
    return f"{type(range_).__name__}({', '.join(arguments)})"


# -- clauses on an axis ----------------------------------------------------------------------------------------------


def _beside(operator: str, edge: float) -> Interval:
    """Return the part of the axis on one side of a place."""
    return (edge, 1.0) if operator in ("above", "at-least") else (0.0, edge)


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of intervals, as ascending intervals that don't touch; intervals without a length are left out."""
    union: list[Interval] = []
    for low, high in sorted((low, high) for low, high in intervals if low < high):
        if union and low <= union[-1][1]:
            union[-1] = union[-1][0], max(high, union[-1][1])
        else:
            union.append((low, high))
    return union


def _rest(intervals: Sequence[Interval]) -> list[Interval]:
    """Return the rest of the axis [0, 1) beside ascending intervals that don't touch."""
    ends = [0.0, *(end for interval in intervals for end in interval), 1.0]
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True) if low < high]


def _number_faults(clause: Clause, range_: Continuous | Integer) -> Iterator[str]:
    numbers = [(text, number_of(text)) for text in clause.values]
    odd = [text for text, number in numbers if number is None]
    equal = clause.operator not in ORDERS
    if odd:
        yield f"«{clause}» compares {clause.name} with {odd[0]!r}, which isn't a number."
    elif equal and isinstance(range_, Continuous):
        yield f"«{clause}»: hardly any value of a continuous range is equal to one. Compare with < or >."
    elif equal and (outside := [text for text, number in numbers if not range_.contains(number)]):
        yield f"«{clause}»: {outside[0]} is no value of {clause.name}, a whole number from {range_.low} to {range_.high}."
    elif not range_.where(clause):
        yield f"«{clause}» never holds: {clause.name} is from {range_.low} to {range_.high}."


def values_of(range_: Range) -> Sequence[Any]:
    """Return every value of a finite range, in its order."""
    if isinstance(range_, Integer):
        return range(range_.low, range_.high + 1)
    k = int(range_.cells)
    return [range_.from_unit((i + 0.5) / k) for i in range(k)]
