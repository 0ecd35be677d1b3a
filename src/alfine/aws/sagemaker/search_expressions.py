"""Search expressions: from AWS's filters to a test of a record, a resource as Describe shows it with its tags.

Whatever the model's shape of the record holds can be asked for by its dotted path; of a list's elements one must satisfy a
filter, and one and the same all filters of a nested one. `Metrics.<name>`, `HyperParameters.<name>` and `Tags.<key>` are as the
API reference has them. What isn't there satisfies NotEquals and NotExists alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from alfine.aws.json_protocol import Plain, validation_error

MAX_CONDITIONS = 50
NUMBERS = ("integer", "long", "float", "double")
METRICS, HYPERPARAMETERS, TAGS = "Metrics", "HyperParameters", "Tags"
ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}

Test = Callable[[Plain], bool]
Step = Callable[[Any], Iterable[Any]]  # from a value to those below it
Value = float | str | bool


@dataclass(frozen=True, slots=True)
class Property:
    """A property by its path: the steps that lead to its values, and what they are.

    kind: text, number, time, boolean, hyperparameter (text that may be a number), or whole (a structure, a list, a map).
    """

    name: str
    steps: tuple[Step, ...]
    kind: str

    def values(self, record: Any) -> Iterator[Any]:
        """All that are there."""
        found: Iterable[Any] = [record]
        for step in self.steps:
            found = [below for value in found for below in step(value)]
        return (value for value in found if value is not None)


class Properties:
    """The properties of one resource. shapes: the model's; root: the name of the record's shape."""

    def __init__(self, shapes: Mapping[str, Any], root: str) -> None:
        self._shapes = shapes
        self._root = root

    def find(self, name: str) -> Property:
        """Raise WireError when the resource has none of that name."""
        first, _, rest = name.partition(".")
        if first == METRICS and rest and METRICS not in self._shapes[self._root]["members"]:
            found = _entry("FinalMetricDataList", "MetricName", rest, "Value"), "number"
        elif first == TAGS and rest:
            found = _entry(TAGS, "Key", rest, "Value"), "text"
        else:
            found = self._walk(self._root, name.split("."), name)
        return Property(name, *found)

    def below(self, name: str) -> tuple[Property, str]:
        """A list, for a nested filter, and the shape of its elements."""
        steps, shape = self._steps(self._root, name.split("."), name)
        if self._shapes[shape]["type"] != "list":
            raise validation_error(f"NestedPropertyName {name!r} isn't a list.")
        return Property(name, steps, "whole"), self._shapes[shape]["member"]["shape"]

    def inside(self, name: str, outer: str, shape: str) -> Property:
        """A property of a list's elements, by its whole path."""
        if not name.startswith(f"{outer}."):
            raise validation_error(f"The nested filter's {name!r} isn't a property of {outer}.")
        return Property(name, *self._walk(shape, name.removeprefix(f"{outer}.").split("."), name))

    def _walk(self, shape: str, parts: Sequence[str], name: str) -> tuple[tuple[Step, ...], str]:
        steps, end = self._steps(shape, parts, name)
        kind = self._shapes[end]["type"]
        while kind == "list":  # of plain values
            steps, end = (*steps, _each), self._shapes[end]["member"]["shape"]
            kind = self._shapes[end]["type"]
        if kind == "string" and parts[0] == HYPERPARAMETERS:
            return steps, "hyperparameter"
        kinds = {"string": "text", "timestamp": "time", "boolean": "boolean", **dict.fromkeys(NUMBERS, "number")}
        return steps, kinds.get(kind, "whole")

    def _steps(self, shape: str, parts: Sequence[str], name: str) -> tuple[tuple[Step, ...], str]:
        """The steps along the path, and the shape at its end."""
        steps: list[Step] = []
        left = list(parts)
        while left:
            known = self._shapes[shape]
            if known["type"] == "list":
                steps.append(_each)
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


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else []


def _entry(members: str, key: str, wanted: str, value: str) -> tuple[Step, ...]:
    """Of a list of pairs the value that has the wanted key."""

    def pick(entry: Any) -> Iterable[Any]:
        return [entry.get(value)] if entry.get(key) == wanted else []

    return partial(_member, members), _each, pick


# ---- expressions -------------------------------------------------------------------------------------------------------


def compiled(expression: Plain, properties: Properties) -> Test:
    """The test that a search expression stands for. Raise WireError for one that means nothing."""
    count = _count(expression)
    if count > MAX_CONDITIONS:
        raise validation_error(f"The search expression has {count} conditions; at most {MAX_CONDITIONS} are allowed.")
    return _expression(expression, properties)


def _count(expression: Plain) -> int:
    nested, inner = expression.get("NestedFilters", ()), expression.get("SubExpressions", ())
    filters = sum(len(each["Filters"]) for each in nested) + len(nested) + len(expression.get("Filters", ()))
    return filters + sum(1 + _count(each) for each in inner)


def _expression(expression: Plain, properties: Properties) -> Test:
    tests = [
        *(_filter(each, properties.find(each["Name"])) for each in expression.get("Filters", ())),
        *(_nested(each, properties) for each in expression.get("NestedFilters", ())),
        *(_expression(each, properties) for each in expression.get("SubExpressions", ())),
    ]
    if not tests:
        raise validation_error("You must provide at least one subexpression, filter, or nested filter.")
    whole = any if expression.get("Operator") == "Or" else all
    return lambda record: whole(test(record) for test in tests)


def _nested(nested: Plain, properties: Properties) -> Test:
    outer, shape = properties.below(nested["NestedPropertyName"])
    tests = [_filter(each, properties.inside(each["Name"], outer.name, shape)) for each in nested["Filters"]]
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
    """Whether a value satisfies an operator; NotEquals is answered as Equals."""
    textual = prop.kind in ("text", "hyperparameter")
    if kind in ("Contains", "In"):
        if not textual:
            raise validation_error(f"The filter on {prop.name}: the operator {kind} is for text properties.")
        choices = {each.strip() for each in text.split(",")}
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
    """How the property's values are read for a comparison with the filter's, and the filter's own."""
    if prop.kind == "text":
        return str, text
    if prop.kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise validation_error(f"The filter on {prop.name}: {text!r} isn't true or false.")
        return bool, text.lower() == "true"
    if prop.kind == "time":
        at = time_of(text, prop.name)
        # AWS's form has whole seconds: then an instant counts as the second that it lies in.
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
    """Its number, cut off to a whole one where the filter's is; its text where it's none."""
    number = number_of(text)
    return text if number is None else float(math.trunc(number)) if whole else number


def number_of(text: str) -> float | None:
    """The number that a text is, in JSON quotes or without; None for any other text."""
    try:
        number = float(text.strip('"'))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def seconds(at: datetime | float) -> float:
    """Since 1970."""
    return at.timestamp() if isinstance(at, datetime) else at


def time_of(text: str, name: str) -> float:
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError) as error:
        raise validation_error(f"The filter on {name}: {text!r} isn't a time like 2026-01-31T23:59:59.") from error


# ---- sorting -----------------------------------------------------------------------------------------------------------

Rank = tuple[bool, bool, float, str]


def rank(prop: Property, record: Plain, *, descending: bool) -> Rank:
    """What a record is sorted by: numbers before texts, and last, in either direction, what hasn't the property."""
    value = next(prop.values(record), None)
    if value is None:
        return not descending, False, 0.0, ""
    here = descending
    if prop.kind == "hyperparameter":
        number = number_of(value)
        return (here, True, 0.0, value) if number is None else (here, False, number, "")
    if prop.kind == "text":
        return here, True, 0.0, value
    return here, False, float(seconds(value)), ""
