"""Changed requests: the request of a job with other limits and other completion criteria."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from copy import deepcopy
from inspect import signature
from typing import Any

from alfine.core.policy import CompletionCriterion
from alfine.core.read_spec import read_spec
from alfine.core.settings import NO_REPEATS, REPEATS, Repeats, put_setting
from alfine.core.spec import TuningJobSpec
from alfine.criteria import Given, criteria_of, put_criteria, table, tags
from alfine.criteria.amt_fields import (
    COMPLETION_CRITERIA,
    NUMBER_LIMIT,
    RESOURCE_LIMITS,
    RUNTIME_LIMIT,
    put_limits,
    section,
)


def with_criteria(spec: TuningJobSpec, criteria: Sequence[CompletionCriterion]) -> TuningJobSpec:
    """Return the spec of the same job with these completion criteria and no others.

    Its limit on the number of training jobs stays, unless a criterion names another: it's the budget that criteria save from.
    """
    request = deepcopy(dict(spec.request))
    section(request, RESOURCE_LIMITS).pop(RUNTIME_LIMIT, None)
    request = changed_request(request, criteria=criteria)
    # The limit isn't validated: that a grid needs one of its size, say, is for jobs that are to run.
    limit = section(request, RESOURCE_LIMITS).pop(NUMBER_LIMIT, None)
    changed = read_spec(request)
    share = None if limit is None else -(-limit // len(changed.definition_specs))
    parts = {name: dataclasses.replace(part, max_training_jobs=share) for name, part in changed.parts.items()}
    # The caller's ranges stay: in Python their categories may be of any type, in a request they are strings.
    return dataclasses.replace(changed, space=spec.space, max_training_jobs=limit, parts=parts)


def changed_request(
    request: Mapping[str, Any],
    *,
    criteria: Given | None = None,
    max_training_jobs: int | None = None,
    max_parallel: int | None = None,
    max_runtime_seconds: float | None = None,
    early_stopping: str | None = None,
    at_end: str | None = None,
    price_per_hour: float | None = None,
    repeats: int | str | Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the request of the same job, changed by what is given. The arguments are those of `alfine.tune` and `alfine change`.

    Args:
        request: The CreateHyperParameterTuningJob request; it isn't changed.
        criteria: Completion criteria, in place of all that the job has. Its limits stay.
        max_training_jobs: As in ResourceLimits.
        max_parallel: As in ResourceLimits.
        max_runtime_seconds: As in ResourceLimits.
        early_stopping: «Off» or «Auto».
        at_end: What becomes of running training jobs when a criterion ends the job (`alfine.core.policy.AT_END`).
        price_per_hour: Of one instance.
        repeats: How many of the best are run again, and how often; «never» takes repeats away.

    Raises:
        InvalidSpec: A criterion or `repeats` can't be understood.
    """
    changed: dict[str, Any] = deepcopy(dict(request))
    config = changed["HyperParameterTuningJobConfig"]
    limits = section(changed, RESOURCE_LIMITS)
    given = {NUMBER_LIMIT: max_training_jobs, RUNTIME_LIMIT: max_runtime_seconds}
    for name, limit in given.items():
        if limit is not None:
            limits.pop(name, None)
    if max_parallel is not None:
        limits["MaxParallelTrainingJobs"] = max_parallel
    if early_stopping is not None:
        config["TrainingJobEarlyStoppingType"] = early_stopping
    if criteria is not None:
        config.pop(COMPLETION_CRITERIA, None)
        for name in table():
            put_setting(changed, name, None)
        tags.remove_from(changed)
        put_criteria(changed, criteria_of(criteria))
    put_limits(changed, **given)
    if repeats is not None:
        put_setting(changed, REPEATS, None if str(repeats) in NO_REPEATS else str(Repeats.of(repeats)))
    for setting, text in (("at-end", at_end), ("price-per-hour", price_per_hour)):
        if text is not None:
            put_setting(changed, setting, str(text))
    return changed


CHANGES = tuple(signature(changed_request).parameters)[1:]
"""What can be changed of a job: the arguments of `changed_request`."""
