"""When the tuning job is done: one file a criterion. This table is the only list of them.

A new one is a file with a frozen dataclass (`from_spec`, `check`, `to_request`; see core/decide.py) and a line here;
from outside, an entry point in the group `alfine.criteria`. The contract suite, `alfine replay` and the reference page read
this table.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from alfine.core.decide import CompletionCriterion
from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.spec import TuningJobSpec
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.limits import (
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    NoTrainingJobSucceeded,
    SearchSpaceExhausted,
    StopRequested,
)
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue

# Those that a user can set, in AMT's order: on a tie the first is named as the reason.
CRITERIA: dict[str, type[CompletionCriterion]] = {
    "TargetObjectiveMetricValue": TargetObjectiveMetricValue,
    "BestObjectiveNotImproving": BestObjectiveNotImproving,
    "ConvergenceDetected": ConvergenceDetected,
    "MaxNumberOfTrainingJobs": MaxNumberOfTrainingJobs,
    "MaxRuntimeInSeconds": MaxRuntimeInSeconds,
}

# Those that every job has, whatever it asked for.
ALWAYS: tuple[type[CompletionCriterion], ...] = (StopRequested, NoTrainingJobSucceeded, SearchSpaceExhausted)


@cache
def table() -> dict[str, type[CompletionCriterion]]:
    """CRITERIA and what installed packages add to it."""
    return {**CRITERIA, **{point.name: point.load() for point in entry_points(group="alfine.criteria")}}


def criteria_for(spec: TuningJobSpec) -> tuple[CompletionCriterion, ...]:
    """Every criterion that applies to the job, in the order in which ties are broken."""
    found = (kind.from_spec(spec) for kind in (*ALWAYS, *table().values()))
    return tuple(criterion for criterion in found if criterion is not None)


def criterion_from_text(text: str) -> CompletionCriterion:
    """Read «BestObjectiveNotImproving 10 strict=true», «ConvergenceDetected:epsilon=0.005,delta=0.1»: name, then settings.

    A setting without a name is the criterion's first. Raise InvalidSpec for what can't be understood.
    """
    name, *words = [word for word in re.split(r"[\s:,()]+", text) if word]
    kinds = table()
    if name not in kinds:
        raise InvalidSpec([Fault("criterion", f"{name!r} isn't one. Use one of {', '.join(kinds)}.")])
    kind = kinds[name]
    fields: list[dataclasses.Field[Any]] = list(dataclasses.fields(kind))  # type: ignore[arg-type]
    settings: dict[str, Any] = {}
    for word in words:
        key, _, value = word.rpartition("=")
        settings[key or fields[0].name] = _value(value)
    try:
        return kind(**settings)
    except (TypeError, ValueError, AlfineError) as error:
        known = ", ".join(field.name for field in fields)
        raise InvalidSpec([Fault(f"criterion {name}", f"{error} Its settings: {known or 'none'}.")]) from error


def _value(text: str) -> Any:
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
