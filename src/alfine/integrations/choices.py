"""Lists of values of other tools as categories: as they are, or by index where they hold more than plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import alfine

PLAIN = (str, bool, int, float, type(None))
"""The types of values that can be categories as they are."""


def categories_of(choices: Sequence[Any]) -> tuple[alfine.Categorical, Callable[[Any], Any]]:
    """Return the range of a list of values, and what turns one of its categories into the value.

    Args:
        choices: The values, which may be of any type: estimators, functions, arrays.
    """
    values = list(choices)
    if all(type(value) in PLAIN for value in values) and not [*alfine.Categorical(values).faults("")]:
        return alfine.Categorical(values), as_it_is
    return alfine.Categorical([*range(len(values))]), values.__getitem__


def as_it_is(value: Any) -> Any:
    """Return the value: it means the same in both."""
    return value
