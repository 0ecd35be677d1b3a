"""Checks of a criterion's settings, for its `__post_init__`: each raises InvalidSpec with a sentence that says what is wanted.

    @dataclass(frozen=True, slots=True)
    class EnoughTried:
        count: int

        def __post_init__(self) -> None:
            whole_number(self, "count", least=1)

`EnoughTried("abc")` then raises «EnoughTried: count 'abc' must be a whole number from 1 on.», wherever it was asked for: in Python, on
the command line, in a job file or in a tag.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeGuard

from alfine.core import wording
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.read_values import LARGEST_INTEGER, shown


def whole_number(criterion: object, name: str, *, least: int = 0) -> None:
    """Check that a setting is a whole number, and no text or float that looks like one.

    Args:
        criterion: The criterion that has the setting.
        name: The setting's name, which is the name of the criterion's field.
        least: The least value allowed.

    Raises:
        InvalidSpec: The setting is something else, too small or too large.
    """
    value = getattr(criterion, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _refused(criterion, name, f"a whole number from {least} on")
    if value > LARGEST_INTEGER:
        raise _refused(criterion, name, f"a whole number up to {LARGEST_INTEGER}")


def number(
    criterion: object, name: str, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf
) -> None:
    """Check that a setting is a finite number.

    Args:
        criterion: The criterion that has the setting.
        name: The setting's name, which is the name of the criterion's field.
        least: The least value allowed.
        above: The number that the value must exceed.
        below: The number that the value must stay below.

    Raises:
        InvalidSpec: The setting is no number, isn't finite, or lies outside the bounds.
    """
    value = getattr(criterion, name)
    if is_finite_number(value) and value >= least and above < value < below:
        return
    bounds = [
        *([f"from {wording.number(least)} on"] if math.isfinite(least) else []),
        *([f"above {wording.number(above)}"] if math.isfinite(above) else []),
        *([f"below {wording.number(below)}"] if math.isfinite(below) else []),
    ]
    raise _refused(criterion, name, f"a number {' and '.join(bounds)}" if bounds else "a finite number")


def is_finite_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number that a float can hold, and no boolean."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer larger than any float
        return False


def true_or_false(criterion: object, name: str) -> None:
    """Check that a setting is True or False; texts write it as true or false.

    Args:
        criterion: The criterion that has the setting.
        name: The setting's name, which is the name of the criterion's field.

    Raises:
        InvalidSpec: The setting is something else.
    """
    if not isinstance(getattr(criterion, name), bool):
        raise _refused(criterion, name, "true or false")


def all_criteria(whole: str, parts: Iterable[object]) -> None:
    """Check that all parts of a criterion are criteria themselves.

    Args:
        whole: The name of the criterion that has them, for the message.
        parts: What was given.

    Raises:
        InvalidSpec: One isn't: a class instead of an instance, say.
    """
    for part in parts:
        if isinstance(part, type) or not hasattr(part, "check"):
            raise InvalidSpec([Fault(whole, f"{part!r} isn't a completion criterion, such as ConvergenceDetected().")])


def _refused(criterion: object, name: str, wanted: str) -> InvalidSpec:
    message = f"{name} {shown(getattr(criterion, name))} must be {wanted}."
    return InvalidSpec([Fault(type(criterion).__name__, message)])
