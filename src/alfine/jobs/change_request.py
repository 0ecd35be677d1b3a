"""Changed requests: the request of a job with other limits and other completion criteria."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from alfine.core.field import Field
from alfine.core.fields import CONFIG, FIELDS, LIMITS, WORDS
from alfine.core.protocols import CompletionCriterion
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

LIMIT_WORDS = {
    field.word: name for field in FIELDS for name in (NUMBER_LIMIT, RUNTIME_LIMIT) if field.path == f"{LIMITS}.{name}"
}
"""The fields that are criteria, too, with AMT's names: of two values the lower one holds."""


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


def changed_request(request: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the request of the same job, changed by what is given.

    Args:
        request: The CreateHyperParameterTuningJob request; it isn't changed.
        **changes: New values of the fields in `alfine.core.fields.CHANGEABLE`, by their words, as `alfine.change` takes them. None
            leaves a field as it is. `criteria` take the place of all that the job has, but its limits stay; where a criterion names
            a limit that is given, too, the lower one holds. «never» as `repeats` takes them away.

    Raises:
        InvalidSpec: A criterion or `repeats` can't be understood.
    """
    given = {word: value for word, value in changes.items() if value is not None}
    changed: dict[str, Any] = deepcopy(dict(request))
    limits = {name: given.pop(word) for word, name in LIMIT_WORDS.items() if word in given}
    for name in limits:
        section(changed, RESOURCE_LIMITS).pop(name, None)
    if "criteria" in given:
        _replace_criteria(changed, given.pop("criteria"))
    put_limits(changed, **limits)
    for word, value in given.items():
        _put(changed, WORDS[word], value)
    return changed


def _replace_criteria(request: dict[str, Any], criteria: Given) -> None:
    request[CONFIG].pop(COMPLETION_CRITERIA, None)
    for name in table():
        put_setting(request, name, None)
    tags.remove_from(request)
    put_criteria(request, criteria_of(criteria))


def _put(request: dict[str, Any], field: Field, value: Any) -> None:
    """Write the value of a field where the request has it: in a tag, or at its path."""
    if field.kind == "repeats":
        put_setting(request, REPEATS, None if str(value) in NO_REPEATS else str(Repeats.of(value)))
    elif field.tag is not None:
        put_setting(request, field.tag, str(value))
    elif field.path is not None:
        *sections, name = field.path.split(".")
        place = request
        for part in sections:
            place = place.setdefault(part, {})
        place[name] = value
