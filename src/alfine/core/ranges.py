"""The ranges of hyperparameters: values <-> a coordinate of the unit cube <-> text.

Each hyperparameter is one coordinate of the unit cube [0, 1]^d, its scaling already applied. A discrete range (Integer, Categorical)
divides its axis into cells, one for each value; the value lies at the centre of its cell, so that rounding is symmetric and a uniform
point falls into every cell equally often.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, ClassVar, Self

from alfine.core.axis import SCALINGS, AxisScale, Interval, beside, chosen_scaling, joined, rest, scale_of
from alfine.core.conditions import ORDERS, Clause, Combination, alternatives, as_text, number_of, words
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.messages import naming
from alfine.core.range_protocol import Range
from alfine.core.steps import Steps, step_faults, steps_of

AUTO_RATIO_CONTINUOUS = 100.0
"""Least ratio of MaxValue to MinValue at which Auto is Logarithmic: with two decades a uniform draw puts only 10 % of its points into the
lower one."""

AUTO_RATIO_INTEGER = 1000.0
"""The same ratio of an integer range, whose lowest decade has few values."""

ROUNDING = 1e-9
"""Tolerance in widths of the range: a value may lie this far outside, since it may be the result of a calculation."""


def _bounds_faults(path: str, low: float, high: float, scaling: str, *, integer: bool) -> Iterator[Fault]:
    if not (math.isfinite(low) and math.isfinite(high)):
        yield Fault(path, naming("{min} {} and {max} {} must be finite numbers.", low, high))
        return
    if not math.isfinite(high - low):
        yield Fault(path, naming("{min} {} and {max} {} lie too far apart to calculate with.", low, high))
    if low > high:
        yield Fault(path, naming("{min} {} must be below {max} {}. Swap them.", low, high))
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
    step: Any
    requires: Any
    optional: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", _required(self.requires))

    def __repr__(self) -> str:
        scaling = [] if self.scaling == "Auto" else [f"scaling={self.scaling!r}"]
        step = [] if self.step is None else [f"step={self.step!r}"]
        return _shown(self, [repr(self.low), repr(self.high), *scaling, *step])

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
        wrong = [*_bounds_faults(path, self.low, self.high, self.scaling, integer=isinstance(self, Integer))]
        yield from wrong
        if not wrong:
            messages = step_faults(self.low, self.high, self.step, whole=isinstance(self, Integer))
            yield from (Fault(f"{path}.step", message) for message in messages)

    def _steps(self) -> Steps | None:
        """Return the values where they're fewer than all numbers between the ends; None where the range has no step, and several values."""
        if self.step is None and (self.low < self.high or isinstance(self, Integer)):
            return None
        return steps_of(self.low, self.high, self.step or abs(self.low) or 1, self.effective_scaling)


@dataclass(frozen=True, slots=True, repr=False)
class Continuous(_Numbers):
    """A range of real numbers.

    Args:
        low: The smallest value.
        high: The largest value.
        scaling: On which scale values are drawn evenly: «Linear», «Logarithmic» (for a low end above 0), «ReverseLogarithmic» (for
            0 <= low and high < 1, finer towards 1), or «Auto», which is Logarithmic where high / low is 100 or more.
        step: The distance between two values, counted from `low`: with 0.25, `Continuous(0, 1)` has 5 values. None: all numbers.
        requires: The condition under which the hyperparameter is active, such as `{"optimizer": "sgd"}`; of a list any one is
            enough. Where it's inactive, configurations leave it out. None: it's always active.
        optional: Whether results that a Tuner observes may lack the hyperparameter, for a reason that no condition names. What
            alfine suggests always has it.

    Example:
        >>> space = {"optimizer": Categorical(["adam", "sgd"]), "momentum": Continuous(0, 0.99, requires={"optimizer": "sgd"})}
    """

    auto_ratio: ClassVar[float] = AUTO_RATIO_CONTINUOUS

    low: float
    high: float
    scaling: str = field(default="Auto", kw_only=True)
    step: float | None = field(default=None, kw_only=True)
    requires: Any = field(default=None, kw_only=True)
    optional: bool = field(default=False, kw_only=True)

    @property
    def cells(self) -> float:
        steps = self._steps()
        return math.inf if steps is None else steps.count

    def values(self) -> Sequence[float]:
        """Return all values of a range that has a step, or one value; none for any other range."""
        steps = self._steps()
        return [] if steps is None else [*steps.values()]

    def _scale(self) -> AxisScale:
        return scale_of(self.effective_scaling, self.low, self.high)

    def to_unit(self, value: Any) -> float:
        steps = self._steps()
        if steps is not None:
            return steps.to_unit(float(value))
        return self._scale().to_unit(min(self.high, max(self.low, float(value))))

    def from_unit(self, u: float) -> float:
        steps = self._steps()
        return self._scale().from_unit(float(u)) if steps is None else steps.from_unit(float(u))

    def to_text(self, value: Any) -> str:
        return repr(float(value))

    def from_text(self, text: str) -> float:
        return float(text)

    def contains(self, value: Any) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool):
            return False
        room, steps = ROUNDING * (self.high - self.low), self._steps()
        return self.low - room <= float(value) <= self.high + room if steps is None else steps.has(float(value))

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        steps = self._steps()
        if steps is not None:
            return steps.where(clause)
        if clause.operator not in ORDERS:  # a single value has no length on the axis
            return [] if clause.operator == "is" else [(0.0, 1.0)]
        return joined(beside(clause.operator, self.to_unit(float(value))) for value in clause.values)

    def count(self, low: float, high: float) -> float:
        steps = self._steps()
        return math.inf if steps is None else steps.covered(low, high)


@dataclass(frozen=True, slots=True, repr=False)
class Integer(_Numbers):
    """A range of integers.

    Args:
        low: The smallest value.
        high: The largest value.
        scaling: On which scale values are drawn evenly: «Linear», «Logarithmic» (for a low end above 0), or «Auto», which is
            Logarithmic where high / low is 1000 or more.
        step: The distance between two values, counted from `low`: with 32, `Integer(32, 256)` has 8 values. None: all integers.
        requires: As for `Continuous`.
        optional: As for `Continuous`.
    """

    auto_ratio: ClassVar[float] = AUTO_RATIO_INTEGER

    low: int
    high: int
    scaling: str = field(default="Auto", kw_only=True)
    step: int | None = field(default=None, kw_only=True)
    requires: Any = field(default=None, kw_only=True)
    optional: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for end in ("low", "high", "step"):
            value = getattr(self, end)
            if isinstance(value, float) and value.is_integer():  # 1e3 is a float in Python
                object.__setattr__(self, end, int(value))
        _Numbers.__post_init__(self)  # super() can't be used in a dataclass with slots

    @property
    def cells(self) -> float:
        return (self.high - self.low) // (self.step or 1) + 1

    def _scale(self) -> AxisScale:
        # Half a unit beyond each end, so that the cell of the first and the last value is as large as the others.
        return scale_of(self.effective_scaling, self.low - 0.5, self.high + 0.5)

    def to_unit(self, value: Any) -> float:
        steps = self._steps()
        if steps is not None:
            return steps.to_unit(int(value))
        return self._scale().to_unit(min(self.high, max(self.low, int(value))))

    def from_unit(self, u: float) -> int:
        steps = self._steps()
        if steps is not None:
            return round(steps.from_unit(float(u)))
        x = self._scale().from_unit(float(u))
        return min(self.high, max(self.low, math.floor(x + 0.5)))

    def to_text(self, value: Any) -> str:
        return str(int(value))

    def from_text(self, text: str) -> int:
        return int(text)

    def contains(self, value: Any) -> bool:
        whole = isinstance(value, Real) and not isinstance(value, bool) and float(value).is_integer()
        if not whole:
            return False
        steps = self._steps()
        return self.low <= int(value) <= self.high if steps is None else steps.has(int(value))

    def clause_faults(self, clause: Clause) -> Iterator[str]:
        yield from _number_faults(clause, self)

    def where(self, clause: Clause) -> list[Interval]:
        steps = self._steps()
        if steps is not None:
            return steps.where(clause)
        if clause.operator in ORDERS:
            return joined(beside(clause.operator, self._edge(clause.operator, float(v))) for v in clause.values)
        cells = joined((self._below(float(v)), self._below(float(v) + 1)) for v in clause.values)
        return cells if clause.operator == "is" else rest(cells)

    def _edge(self, operator: str, value: float) -> float:
        """Return the place on the axis that separates the integers for which a comparison with the value holds from the others."""
        return self._below(math.ceil(value) if operator in ("at-least", "below") else math.floor(value) + 1)

    def _below(self, value: float) -> float:
        """Return the lower end of an integer's cell on the axis."""
        return self._scale().to_unit(max(self.low, value) - 0.5)

    def count(self, low: float, high: float) -> float:
        steps = self._steps()
        if steps is not None:
            return steps.covered(low, high)
        return round(self._scale().from_unit(high) - self._scale().from_unit(low))


@dataclass(frozen=True, slots=True)
class Categorical:
    """A list of values without an order, of which a configuration has one.

    Args:
        values: The values, each of them once. Training jobs get strings as they are; numbers, booleans and None as JSON. A string
            that would read like another value, as "1" beside 1, is written as JSON, too: in quotes.
        requires: As for `Continuous`.
        optional: As for `Continuous`.
    """

    values: Sequence[Any]
    requires: Any = field(default=None, kw_only=True)
    optional: bool = field(default=False, kw_only=True)

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
        text = as_text(value)
        return json.dumps(text) if isinstance(value, str) and self._reads_like_another(value) else text

    def _reads_like_another(self, text: str) -> bool:
        """Return whether the values have both this string and something else that is written alike."""
        return text in self.values and any(
            as_text(value) == text for value in self.values if not isinstance(value, str)
        )

    def from_text(self, text: str) -> Any:
        for value in self.values:
            if self.to_text(value) == text:
                return value
        return self.values[self._index(text)]

    def contains(self, value: Any) -> bool:
        text = self.to_text(value)
        return any(self.to_text(known) == text for known in self.values)

    def faults(self, path: str) -> Iterator[Fault]:
        texts = [self.to_text(value) for value in self.values]
        if not texts:
            yield Fault(path, "a categorical range needs at least one value.")
        repeated = sorted(text for text, count in Counter(texts).items() if count > 1)
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
    if range_.optional:
        arguments.append("optional=True")
    if requires:
        arguments.append(f"requires={(requires[0] if len(requires) == 1 else requires)!r}")
    return f"{type(range_).__name__}({', '.join(arguments)})"


def _number_faults(clause: Clause, range_: Continuous | Integer) -> Iterator[str]:
    numbers = [(text, number_of(text)) for text in clause.values]
    odd = [text for text, number in numbers if number is None]
    equal = clause.operator not in ORDERS
    if odd:
        yield f"«{clause}» compares {clause.name} with {odd[0]!r}, which isn't a number."
    elif equal and math.isinf(range_.cells):
        yield f"«{clause}»: hardly any value of a continuous range is equal to one. Compare with < or >."
    elif equal and (outside := [text for text, number in numbers if not range_.contains(number)]):
        yield f"«{clause}»: {outside[0]} is no value of {clause.name}, {_countable(range_)}."
    elif not range_.where(clause):
        yield f"«{clause}» never holds: {clause.name} is from {range_.low} to {range_.high}."


def _countable(range_: Continuous | Integer) -> str:
    """Return the values of a range that has finitely many, in words that follow its name."""
    if range_.low == range_.high:
        return f"which is always {range_.low}"
    ends = f"from {range_.low} to {range_.high}"
    if range_.step is None:
        return f"a whole number {ends}"
    return f"the number {range_.low} or whole steps of {range_.step} above it, {ends}"


def single_value_fault(path: str, range_: Range) -> Iterator[Fault]:
    """Yield the fault of a range of numbers with one value, where a fixed value has a place of its own: in requests and job files.

    Args:
        path: The path of the range.
        range_: The range.
    """
    if isinstance(range_, Continuous | Integer) and range_.low == range_.high:
        message = "{min} {} must be below {max} {}. A fixed value belongs in {static}."
        yield Fault(path, naming(message, range_.low, range_.high))


def values_of(range_: Range) -> Sequence[Any]:
    """Return every value of a finite range, in its order."""
    if isinstance(range_, Integer):
        return range(range_.low, range_.high + 1, range_.step or 1)
    if isinstance(range_, Continuous):
        return range_.values()
    k = int(range_.cells)
    return [range_.from_unit((i + 0.5) / k) for i in range(k)]
