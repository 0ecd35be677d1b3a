"""Search expressions: from AWS's filters to a test of a record, which is a resource as Describe shows it, with its tags.

Every property of the record's shape in AWS's model can be named by its dotted path. A filter on a list holds if it holds for one
element, and a nested filter if all of its filters hold for the same element. `Metrics.<name>`, `HyperParameters.<name>` and
`Tags.<key>` are as in the API reference. A property that isn't there satisfies only NotEquals and NotExists.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from alfine.aws.shape_readers import Plain
from alfine.aws.wire_error import validation_error

MAX_CONDITIONS = 50
"""Conditions of a search expression, by AWS's quota."""

NUMBERS = ("integer", "long", "float", "double")
METRICS, HYPERPARAMETERS, TAGS = "Metrics", "HyperParameters", "Tags"
ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}

Test = Callable[[Plain], bool]
"""Whether a record matches."""

Step = Callable[[Any], Iterable[Any]]
"""From a value to the values inside it."""

Value = float | str | bool


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a record.

    Attributes:
        name: Its dotted path.
        steps: From the record to its values.
        kind: Of its values: text, number, time, boolean, hyperparameter (a text that may be a number), or whole (a structure, a
            list, a map).
    """

    name: str
    steps: tuple[Step, ...]
    kind: str

    def values(self, record: Any) -> Iterator[Any]:
        """Yield its values in a record."""
        values: Iterable[Any] = [record]
        for step in self.steps:
            values = [inner for value in values for inner in step(value)]
        return (value for value in values if value is not None)


class Properties:
    """The properties of one kind of resource.

    Args:
        shapes: Those of AWS's model.
        root: The name of the record's shape.
    """

    def __init__(self, shapes: Mapping[str, Any], root: str) -> None:
        self._shapes = shapes
        self._root = root

    def find(self, name: str) -> Property:
        """Return the property of that name. Raise WireError if there is none."""
        first, _, rest = name.partition(".")
        if first == METRICS and rest and METRICS not in self._shapes[self._root]["members"]:
            return Property(name, _entry("FinalMetricDataList", "MetricName", rest, "Value"), "number")
        if first == TAGS and rest:
            return Property(name, _entry(TAGS, "Key", rest, "Value"), "text")
        return Property(name, *self._walk(self._root, name.split("."), name))

    def below(self, name: str) -> tuple[Property, str]:
        """Return a list, for a nested filter, and the shape of its elements. Raise WireError if it isn't one."""
        steps, shape = self._steps(self._root, name.split("."), name)
        if self._shapes[shape]["type"] != "list":
            raise validation_error(f"NestedPropertyName {name!r} isn't a list.")
        return Property(name, steps, "whole"), self._shapes[shape]["member"]["shape"]

    def inside(self, name: str, outer: str, shape: str) -> Property:
        """Return a property of a list's elements.

        Args:
            name: Its whole path.
            outer: The path of the list.
            shape: Of the elements.

        Raises:
            WireError: There is none of that name.
        """
        if not name.startswith(f"{outer}."):
            raise validation_error(f"The nested filter's {name!r} isn't a property of {outer}.")
        return Property(name, *self._walk(shape, name.removeprefix(f"{outer}.").split("."), name))

    def _walk(self, shape: str, parts: Sequence[str], name: str) -> tuple[tuple[Step, ...], str]:
        steps, end = self._steps(shape, parts, name)
        kind = self._shapes[end]["type"]
        while kind == "list":  # of plain values
            steps, end = (*steps, _elements), self._shapes[end]["member"]["shape"]
            kind = self._shapes[end]["type"]
        if kind == "string" and parts[0] == HYPERPARAMETERS:
            return steps, "hyperparameter"
        kinds = {"string": "text", "timestamp": "time", "boolean": "boolean", **dict.fromkeys(NUMBERS, "number")}
        return steps, kinds.get(kind, "whole")

    def _steps(self, shape: str, parts: Sequence[str], name: str) -> tuple[tuple[Step, ...], str]:
        """Return the steps along a path, and the shape at its end."""
        steps: list[Step] = []
        left = list(parts)
        while left:
            known = self._shapes[shape]
            if known["type"] == "list":
                steps.append(_elements)
                shape = known["member"]["shape"]
            elif known["type"] == "map":  # a key may have dots
                steps.append(partial(_member, ".".join(left)))
                shape, left = known["value"]["shape"], []
            elif known["type"] == "structure" and left[0] in known["members"]:
                part = left.pop(0)
                steps.append(partial(_member, part))
                shape = known["members"][part]["shape"]
            else:
                raise validation_error(f"Unknown property name: {name}. {self._root} has no such property.")
        return tuple(steps), shape


def _member(name: str, value: Any) -> Iterable[Any]:
    return [value[name]] if isinstance(value, Mapping) and name in value else []


def _elements(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else []


def _entry(members: str, key: str, wanted: str, value: str) -> tuple[Step, ...]:
    """Return the steps to the value of a key in a list of pairs.

    members: the list's name; key, value: the names of a pair's members; wanted: the key.
    """

    def pick(entry: Any) -> Iterable[Any]:
        return [entry.get(value)] if entry.get(key) == wanted else []

    return partial(_member, members), _elements, pick


# ---- expressions -------------------------------------------------------------------------------------------------------


def compiled(expression: Plain, properties: Properties) -> Test:
    """Return the test of a search expression. Raise WireError if it can't be understood."""
    count = _count(expression)
    if count > MAX_CONDITIONS:
        raise validation_error(f"The search expression has {count} conditions; at most {MAX_CONDITIONS} are allowed.")
    return _expression(expression, properties)


def _count(expression: Plain) -> int:
    nested, inner = expression.get("NestedFilters", ()), expression.get("SubExpressions", ())
    filters = sum(len(filters["Filters"]) for filters in nested) + len(nested) + len(expression.get("Filters", ()))
    return filters + sum(1 + _count(one) for one in inner)


def _expression(expression: Plain, properties: Properties) -> Test:
    tests = [
        *(_filter(given, properties.find(given["Name"])) for given in expression.get("Filters", ())),
        *(_nested(nested, properties) for nested in expression.get("NestedFilters", ())),
        *(_expression(inner, properties) for inner in expression.get("SubExpressions", ())),
    ]
    if not tests:
        raise validation_error("You must provide at least one subexpression, filter, or nested filter.")
    whole = any if expression.get("Operator") == "Or" else all
    return lambda record: whole(test(record) for test in tests)


def _nested(nested: Plain, properties: Properties) -> Test:
    outer, shape = properties.below(nested["NestedPropertyName"])
    tests = [_filter(given, properties.inside(given["Name"], outer.name, shape)) for given in nested["Filters"]]
    return lambda record: any(
        all(test(element) for test in tests) for elements in outer.values(record) for element in elements
    )


def _filter(given: Plain, prop: Property) -> Test:
    kind, name = given.get("Operator", "Equals"), prop.name
    text: str | None = given.get("Value")
    if kind in ("Exists", "NotExists"):
        if text is not None:
            raise validation_error(f"The filter on {name}: the operator {kind} takes no Value.")
        wanted = kind == "Exists"
        return lambda record: any(True for _ in prop.values(record)) is wanted
    if text is None:
        raise validation_error(f"The filter on {name}: the operator {kind} needs a Value.")
    if prop.kind == "whole":
        raise validation_error(f"The filter on {name}: it has no value of its own. Name a property inside it.")
    holds = _comparison(kind, text, prop)
    if kind == "NotEquals":
        return lambda record: not any(holds(value) for value in prop.values(record))
    return lambda record: any(holds(value) for value in prop.values(record))


def _comparison(kind: str, text: str, prop: Property) -> Callable[[Any], bool]:
    """Return whether a value satisfies an operator; for NotEquals, the test of Equals."""
    textual = prop.kind in ("text", "hyperparameter")
    if kind in ("Contains", "In"):
        if not textual:
            raise validation_error(f"The filter on {prop.name}: the operator {kind} is for text properties.")
        choices = {choice.strip() for choice in text.split(",")}
        return (lambda value: text in value) if kind == "Contains" else (lambda value: value in choices)
    if kind in ORDERS:
        if prop.kind in ("text", "boolean"):
            raise validation_error(f"The filter on {prop.name}: the operator {kind} isn't supported for it.")
        order, read, mark = ORDERS[kind], *_reader(text, prop)
        if isinstance(mark, str):
            raise validation_error(
                f"The filter on {prop.name}: the operator {kind} isn't supported for text, {text!r}."
            )
        return lambda value: not isinstance(here := read(value), str) and order(here, mark)
    read, mark = _reader(text, prop)
    return lambda value: read(value) == mark


def _reader(text: str, prop: Property) -> tuple[Callable[[Any], Value], Value]:
    """Return how values of a property are read to be compared with a filter's, and the filter's value, read so."""
    if prop.kind == "text":
        return str, text
    if prop.kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise validation_error(f"The filter on {prop.name}: {text!r} isn't true or false.")
        return bool, text.lower() == "true"
    if prop.kind == "time":
        at = time_of(text, prop.name)
        # AWS's format has whole seconds: then an instant counts as the second in which it lies.
        return (seconds if at % 1 else lambda value: math.floor(seconds(value))), at
    number = number_of(text)
    if prop.kind == "hyperparameter":
        if number is None:
            return str, text
        whole = text.strip().lstrip("+-").isdigit()
        return partial(_hyperparameter, whole=whole), number
    if number is None:
        raise validation_error(f"The filter on {prop.name}: {text!r} isn't a number.")
    return float, number


def _hyperparameter(text: str, *, whole: bool) -> Value:
    """Return the number of a text, truncated if the filter's number is a whole one; the text if it is no number."""
    number = number_of(text)
    return text if number is None else float(math.trunc(number)) if whole else number


def number_of(text: str) -> float | None:
    """Return the number in a text, with or without JSON quotes; None for any other text."""
    try:
        number = float(text.strip('"'))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def seconds(at: datetime | float) -> float:
    """Return an instant as seconds since 1970."""
    return at.timestamp() if isinstance(at, datetime) else at


def time_of(text: str, name: str) -> float:
    """Return the instant of a filter's text as seconds since 1970. Raise WireError, naming the property, if it is none."""
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError) as error:
        raise validation_error(f"The filter on {name}: {text!r} isn't a time like 2026-01-31T23:59:59.") from error


# ---- sorting -----------------------------------------------------------------------------------------------------------

Rank = tuple[bool, bool, float, str]
"""A sort key of records: whether the property is missing, whether it is a text, its number, its text."""


def rank(prop: Property, record: Plain, *, descending: bool) -> Rank:
    """Return the rank of a record: numbers come before texts, and records without the property last in either direction."""
    value = next(prop.values(record), None)
    if value is None:
        return not descending, False, 0.0, ""
    present = descending  # so that a missing one sorts last
    if prop.kind == "hyperparameter":
        number = number_of(value)
        return (present, True, 0.0, value) if number is None else (present, False, number, "")
    if prop.kind == "text":
        return present, True, 0.0, value
    return present, False, float(seconds(value)), ""
