"""Ranges in words, for messages and pages: scalings, values, and how an integer range was understood."""

from __future__ import annotations

from alfine.core.field import Face
from alfine.core.messages import Message, naming
from alfine.core.range_protocol import Range
from alfine.core.ranges import Categorical, Continuous, Integer

MOST_SHOWN = 8
"""Categories that a message lists."""


def scaling_of(range_: Range) -> str:
    """Return a range's scaling for people: «Logarithmic», or «Linear (Auto)» where Auto chose it; empty for categories."""
    given = getattr(range_, "scaling", "")
    return f"{getattr(range_, 'effective_scaling', '')} (Auto)" if given == "Auto" else given


def values_in_words(range_: Range) -> str:
    """Return the values of a range for people: «the whole numbers 1 to 5», «0.1 to 1.0», «'adam', 'sgd'»."""
    match range_:
        case Categorical(values=values):
            return ", ".join(map(repr, values[:MOST_SHOWN])) + (", …" if len(values) > MOST_SHOWN else "")
        case Integer(low=low, high=high, step=step):
            return f"the whole numbers {low} to {high}{_in_steps(step)}"
        case Continuous(low=low, high=high, step=step):
            return f"{low} to {high}{_in_steps(step)}"
    return str(range_)


def _in_steps(step: float | None) -> str:
    return "" if step is None else f" in steps of {step}"


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
