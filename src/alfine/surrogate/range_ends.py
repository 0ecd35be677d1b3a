"""The ends of ranges, and the ways in which the best results pile up there: space_diagnosis.py looks for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alfine.core.axis import Array
from alfine.core.range_protocol import Range


@dataclass(frozen=True, slots=True)
class RangeEnd:
    """An end of a range.

    Attributes:
        j: The hyperparameter's coordinate.
        side: 0 or 1.
        on: The results that have it.
        far: How far all are from the end.
    """

    name: str
    range_: Range
    j: int
    side: float
    on: npt.NDArray[np.intp]
    far: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """A way in which the best results pile up at an end of an axis.

    Attributes:
        share: The share of all results that are looked at.
        least: The least number of them.
        most: The largest number of them; a twentieth of all results where that is more.
        part: The part of these that lies in the outermost `zone`.
        zone: The width of the end, as a share of the axis; of an integer range at least its outermost value.
        with_best: Whether the best of all must be among them.
        worse: The least number of standard deviations by which they must be worse further inside.
        told: The least T_j.
    """

    share: float
    least: int
    most: int
    part: float
    zone: float
    with_best: bool
    worse: float
    told: float


PILES = (
    Pile(share=0.2, least=5, most=10, part=0.85, zone=0.1, with_best=False, worse=2.0, told=5.0),
    Pile(share=0.0, least=5, most=5, part=0.6, zone=0.05, with_best=True, worse=3.0, told=6.0),
)
"""Many of the good results near the end; or few, the best among them, right at it, with stronger evidence. Chosen by bench/stopping/edges.py."""
