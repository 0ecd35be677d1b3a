"""The ranges of hyperparameters: values <-> a coordinate of the unit cube <-> text.

Each hyperparameter is one coordinate of the unit cube [0, 1]^d, its scaling already applied. A discrete range (Integer, Categorical)
divides its axis into cells, one for each value; the value lies at the centre of its cell, so that rounding is symmetric and a uniform
point falls into every cell equally often.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, ClassVar, Protocol, Self

from alfine.core.axis import SCALINGS, AxisScale, Interval, beside, chosen_scaling, joined, rest, scale_of
from alfine.core.conditions import ORDERS, Clause, Combination, alternatives, as_text, number_of, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.messages import naming

AUTO_RATIO_CONTINUOUS = 100.0
"""Least ratio of MaxValue to MinValue at which Auto is Logarithmic: with two decades a uniform draw puts only 10 % of its points into the
lower one."""

AUTO_RATIO_INTEGER = 1000.0
"""The same ratio of an integer range, whose lowest decade has few values."""

ROUNDING = 1e-9
"""Tolerance in widths of the range: a value may lie this far outside, since it may be the result of a calculation."""


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
        """Return the same range with another condition.

        Args:
            requires: Combinations of which one must hold; empty: always active.
        """

    def holds(self, clause: Clause, value: Any) -> bool:
        """Return whether a clause about this hyperparameter holds for one of its values.

        Args:
            clause: A comparison of this hyperparameter with values.
            value: One of the range's values, in its own type.
        """

    def where(self, clause: Clause) -> list[Interval]:
        """Return the parts of the axis on which a clause holds: intervals [low, high), ascending, that don't touch.

        Args:
            clause: A comparison of this hyperparameter with values.
        """

    def count(self, low: float, high: float) -> float:
        """Return how many values lie between two ends of intervals that `where` returns; infinity for a continuous range.

        Args:
            low: The lower end of an interval.
            high: Its upper end.
        """

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        """Yield why a clause makes no sense for this range; nothing where it does.

        Args:
            clause: A comparison of this hyperparameter with values.
        """

    def to_unit(self, value: Any) -> float:
        """Return the coordinate of a value, in [0, 1]; numbers outside the range are moved to its nearest end.

        Args:
            value: A value in the range's own type.
        """

    def from_unit(self, u: float) -> Any:
        """Return the value in whose cell the coordinate `u` lies, in its own type.

        Args:
            u: A coordinate in [0, 1].
        """

    def to_text(self, value: Any) -> str:
        """Return a value as AMT's requests have it, a string."""

    def from_text(self, text: str) -> Any:
        """Return the value that AMT's string means. Raise ValueError where it means none."""

    def contains(self, value: Any) -> bool:
        """Return whether a value lies inside the range."""

    def faults(self, path: str) -> Iterator[Fault]:
        """Yield what is wrong with the range itself; `path` is its path in the request.

        Args:
            path: The path of the range in the request.
        """


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


class _Numbers:
    """The base of ranges of numbers."""

    __slots__ = ()

    auto_ratio: ClassVar[float]

    low: Any
    high: Any
    scaling: str
    requires: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", _required(self.requires))

    def __repr__(self) -> str:
        scaling = [] if self.scaling == "Auto" else [f"scaling={self.scaling!r}"]
        return _shown(self, [repr(self.low), repr(self.high), *scaling])

    @property
    def ordered(self) -> bool:
        return True

    @property
    def effective_scaling(self) -> str:
        return chosen_scaling(self.scaling, self.low, self.high, self.auto_ratio)

    def requiring(self, requires: tuple[Combination, ...]) -> Self:
        return replace(self, requires=requires)  # type: ignore[type-var]  # both kinds are dataclasses

    def holds(self, clause: Clause, value: Any) -> bool:
        return clause.holds("", float(value))

    def faults(self, path: str) -> Iterator[Fault]:
        return _bounds_faults(path, self.low, self.high, self.scaling, integer=isinstance(self, Integer))


@dataclass(frozen=True, slots=True, repr=False)
class Continuous(_Numbers):
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

    auto_ratio: ClassVar[float] = AUTO_RATIO_CONTINUOUS

    low: float
    high: float
    scaling: str = field(default="Auto", kw_only=True)
    requires: Any = field(default=None, kw_only=True)

    @property
    def cells(self) -> float:
        return math.inf

    def _scale(self) -> AxisScale:
        return scale_of(self.effective_scaling, self.low, self.high)

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

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        if clause.operator not in ORDERS:  # a single value has no length on the axis
            return [] if clause.operator == "is" else [(0.0, 1.0)]
        return joined(beside(clause.operator, self.to_unit(float(value))) for value in clause.values)

    def count(self, low: float, high: float) -> float:  # noqa: ARG002 - the protocol's signature
        return math.inf


@dataclass(frozen=True, slots=True, repr=False)
class Integer(_Numbers):
    """A range of integers.

    Args:
        low: The smallest value.
        high: The largest value.
        scaling: On which scale values are drawn evenly: «Linear», «Logarithmic» (for a low end above 0), or «Auto», which is
            Logarithmic where high / low is 1000 or more.
        requires: As for `Continuous`.
    """

    auto_ratio: ClassVar[float] = AUTO_RATIO_INTEGER

    low: int
    high: int
    scaling: str = field(default="Auto", kw_only=True)
    requires: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            value = getattr(self, end)
            if isinstance(value, float) and value.is_integer():  # 1e3 is a float in Python
                object.__setattr__(self, end, int(value))
        _Numbers.__post_init__(self)  # super() can't be used in a dataclass with slots

    @property
    def cells(self) -> float:
        return self.high - self.low + 1

    def _scale(self) -> AxisScale:
        # Half a unit beyond each end, so that the cell of the first and the last value is as large as the others.
        return scale_of(self.effective_scaling, self.low - 0.5, self.high + 0.5)

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

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        if clause.operator in ORDERS:
            return joined(beside(clause.operator, self._edge(clause.operator, float(v))) for v in clause.values)
        cells = joined((self._below(float(v)), self._below(float(v) + 1)) for v in clause.values)
        return cells if clause.operator == "is" else rest(cells)

    def _edge(self, operator: str, value: float) -> float:
        """Return the place on the axis that separates the integers for which a comparison with the value holds from the others."""
        return self._below(math.ceil(value) if operator in ("at-least", "below") else math.floor(value) + 1)

    def _below(self, value: float) -> float:
        """Return the lower end of an integer's cell on the axis."""
        return self._scale().to_unit(min(self.high + 0.5, max(self.low - 0.5, value - 0.5)))

    def count(self, low: float, high: float) -> float:
        inset = 1e-6 * (high - low)
        return self.from_unit(high - inset) - self.from_unit(low + inset) + 1


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
        return joined((i / k, (i + 1) / k) for i, value in enumerate(self.values) if self.holds(clause, value))

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


def _shown(range_: _Numbers | Categorical, arguments: list[str]) -> str:
    """Return a range as it's written in Python."""
    requires = [words(combination) for combination in range_.requires]
    if requires:
        arguments.append(f"requires={(requires[0] if len(requires) == 1 else requires)!r}")
    return f"{type(range_).__name__}({', '.join(arguments)})"


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
