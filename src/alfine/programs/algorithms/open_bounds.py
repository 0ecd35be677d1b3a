"""Open bounds: a range may begin at a number that its hyperparameter can't have, as colsample_bytree from 0 to 1.

AWS accepts such a range, and its own notebooks send it. It is recorded as it was asked for; configurations are drawn from the least
value that the algorithm accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.core.read_space import DRAWN_FROM
from alfine.programs.algorithms.specification import begins_at_open_bound, hyperparameters_of

KIND = "ContinuousParameterRanges"


def with_open_bounds(specification: Mapping[str, Any], ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return ParameterRanges in which each range that begins at an open bound says from where its values are drawn.

    Args:
        specification: The algorithm's.
        ranges: The request's ParameterRanges.
    """
    if not ranges.get(KIND):
        return dict(ranges)
    known = hyperparameters_of(specification)
    return {**ranges, KIND: [_drawn(known.get(str(entry.get("Name")), {}), entry) for entry in ranges[KIND]]}


def _drawn(known: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    asked = {key: value for key, value in entry.items() if key != DRAWN_FROM}  # a proposal from an earlier job has it
    if not begins_at_open_bound(known, asked) or asked.get("ScalingType") == "Logarithmic":
        return asked
    return {**asked, DRAWN_FROM: known["Range"]["ContinuousParameterRangeSpecification"]["MinValue"]}
