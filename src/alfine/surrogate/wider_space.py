"""Another search space, as the findings of space_diagnosis.py propose it: wider ranges, and values to fix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from alfine.core.range_protocol import Range
from alfine.core.ranges import Continuous, Integer
from alfine.core.spec import TuningJobSpec
from alfine.surrogate.space_remarks import Remark

ROUNDING = 0.1
"""Largest rounding of a proposed end, as a share of how far the end is moved."""


def stretched(found: Range, *, upper: bool) -> Range | None:
    """Return the range with one end moved outwards by half its width, on its scale; None where 0 or 1 is likely its natural end.

    Args:
        found: The range.
        upper: Whether to move the upper end, instead of the lower one.
    """
    if not isinstance(found, Continuous | Integer) or found.step is not None or found.low == found.high:
        return None  # the values of a step are the caller's own choice
    low, high, log = float(found.low), float(found.high), found.effective_scaling
    natural = (low == 0.0, high == 1.0 and low >= 0.0)[upper] if log == "Linear" else False
    if natural or (isinstance(found, Integer) and not upper and found.low in (0, 1)):
        return None
    if log == "Logarithmic":
        end = high * math.sqrt(high / low) if upper else low * math.sqrt(low / high)
    elif log == "ReverseLogarithmic":
        gap, ratio = (1.0 - high, (1.0 - high) / (1.0 - low)) if upper else (1.0 - low, (1.0 - low) / (1.0 - high))
        end = max(0.0, 1.0 - gap * math.sqrt(ratio))
    else:
        end = high + 0.5 * (high - low) if upper else low - 0.5 * (high - low)
        if low >= 0.0 and high <= 1.0:
            end = min(1.0, max(0.0, end))
        elif low > 0.0:
            end = max(end, 0.5 * low)
    if isinstance(found, Integer):
        whole = (
            max(found.high + 1, math.ceil(_rounded(end, high)))
            if upper
            else min(found.low - 1, math.floor(_rounded(end, low)))
        )
        whole = whole if upper or found.low < 1 else max(1, whole)
        ends = (found.low, whole) if upper else (whole, found.high)
        return Integer(*ends, scaling=found.scaling, requires=found.requires)
    old = high if upper else low
    end = _rounded(end, old) if log != "ReverseLogarithmic" else 1.0 - _rounded(1.0 - end, 1.0 - old)
    return Continuous(*((low, end) if upper else (end, high)), scaling=found.scaling, requires=found.requires)


def _rounded(x: float, old: float) -> float:
    """Return x with as few digits as keep it about as far from the old end."""
    candidates = (float(f"{x:.{digits}g}") for digits in range(2, 18))
    return next(rounded for rounded in candidates if abs(rounded - x) <= ROUNDING * abs(x - old))


def wider_integers(spec: TuningJobSpec) -> Iterator[tuple[str, Integer]]:
    """Yield each integer range of a space with both ends moved outwards, by its hyperparameter; none that a constraint names."""
    bounded = {clause.name for each in spec.space.forbidden for clause in each}  # by more than their ranges
    for name, found in spec.space.ranges.items():
        if isinstance(found, Integer) and name not in bounded:
            low, high = (stretched(found, upper=upper) for upper in (False, True))
            ends = (
                low.low if isinstance(low, Integer) else found.low,
                high.high if isinstance(high, Integer) else found.high,
            )
            yield name, replace(found, low=ends[0], high=ends[1])


def proposed(found: Sequence[Remark]) -> tuple[dict[str, Range], dict[str, Any]]:
    """Return what the findings propose for a job with one definition: other ranges, and values to fix.

    Args:
        found: The findings.
    """
    ranges: dict[str, Range] = {}
    fixed: dict[str, Any] = {}
    for remark in found:
        if remark.definition is None:
            fixed |= remark.fixed
            for name, each in remark.ranges.items():
                ranges[name] = _both(ranges[name], each) if name in ranges else each
    return {name: each for name, each in ranges.items() if name not in fixed}, fixed


def _both(one: Range, other: Range) -> Range:
    if isinstance(one, Integer) and isinstance(other, Integer):
        return Integer(min(one.low, other.low), max(one.high, other.high), scaling=one.scaling, requires=one.requires)
    if isinstance(one, Continuous) and isinstance(other, Continuous):
        return Continuous(
            min(one.low, other.low), max(one.high, other.high), scaling=one.scaling, requires=one.requires
        )
    return one
