"""Values as callers give them: numbers of any library, limits, curves and regular expressions of metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, TypeAlias

from alfine.core.errors import Fault, InvalidSpec

Curve: TypeAlias = Mapping[Any, float] | Sequence[float]
"""Intermediate objectives: a mapping from step to value, or values in their order."""


def number_of_caller(what: str, value: Any) -> float:
    """Return the number of a Python number, a NumPy scalar or a tensor of one element. Raise InvalidSpec for anything else."""
    from alfine.runners.objective_value import number_of  # the first suggestion needs no runners

    try:
        return number_of(value)
    except TypeError as error:
        raise InvalidSpec([Fault("", f"{what} must be a number, {error}.")]) from None


def limit_of(given: Any) -> int | None:
    """Return a limit on training jobs. Raise InvalidSpec for what is none."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 1:
        raise InvalidSpec([Fault("max_training_jobs", f"{given!r} must be a whole number from 1 on.")])
    return int(given)


def curve_of(given: Curve) -> list[tuple[float, float]]:
    """Return a curve as steps and values, in order; a list of values counts from 1."""
    pairs = sorted(given.items()) if isinstance(given, Mapping) else [*enumerate(given, 1)]
    return [
        (number_of_caller("a step", step), number_of_caller("a value of the curve", value)) for step, value in pairs
    ]


def regexes_of(given: Any) -> Any:
    """Return the regular expression of each metric by its name, of a list like SageMaker's MetricDefinitions; anything else as it is.

    Args:
        given: For example `[{"Name": "auc", "Regex": "auc=(.*)"}]`; the keys may be in small letters.

    Raises:
        InvalidSpec: An entry of the list isn't a name with a regular expression, or a name occurs twice.
    """
    if not isinstance(given, list | tuple):
        return given
    regexes: dict[str, str] = {}
    for entry in given:
        parts = {str(key).lower(): part for key, part in entry.items()} if isinstance(entry, Mapping) else {}
        name = parts.get("name")
        if {*parts} != {"name", "regex"} or not isinstance(name, str):
            raise InvalidSpec(
                [Fault("metrics", f"{entry!r} must be a name and a regex, as in {{name: auc, regex: 'auc=(.*)'}}.")]
            )
        if name in regexes:
            raise InvalidSpec([Fault("metrics", f"has two entries for {name}. Keep one of them.")])
        regexes[name] = parts["regex"]
    return regexes
