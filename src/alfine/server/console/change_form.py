"""The form that changes the limits and criteria of a job, or continues an ended one.

The form contains all completion criteria of the job, because the submitted ones replace all of them: the three most common
ones have their own fields, the others are text, one per line (`criteria/text_format.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.field import Face
from alfine.core.fields import FIELDS, WORDS
from alfine.core.messages import spelled
from alfine.core.policy import AT_END
from alfine.core.protocols import CompletionCriterion
from alfine.core.spec import EARLY_STOPPING_TYPES, FUNCTION, TuningJobSpec
from alfine.core.wording import exact
from alfine.criteria import ALWAYS, criteria_for, criterion_from_text, text_format
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.server.console.page_request import PageRequest

LIMITS = ("max_training_jobs", "max_parallel", "max_runtime_seconds", "price_per_hour")
"""Fields of limits."""

WHOLE = ("max_training_jobs", "max_parallel")
"""Limits that are whole numbers."""

MAY_BE_ZERO = ("price_per_hour",)
"""Limits that may be 0."""

CONVERGENCE, PATIENCE = ConvergenceDetected.__name__, BestObjectiveNotImproving.__name__
NOT_IN_TEXT = (*ALWAYS, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds)
"""Criteria that are not listed as text: every job has them, or a limit's field shows them."""

LONGEST_TEXT = 4000
"""Characters of the other criteria that are read."""

LONGEST_NUMBER = 40
"""Characters that a number may have."""

Fields = dict[str, str]
"""The form's fields by name; an empty text stands for «not set» and for a checkbox that is off."""


def page(request: PageRequest) -> Response:
    """Render the form as the job is now."""
    spec = request.service.get(request.path_part("name")).spec()
    return _page(request, spec, form_fields(spec))


def change(request: PageRequest) -> Response:
    """Change the job as `alfine change` does; when something is wrong, render the form as it was filled in, with the faults."""
    name = request.path_part("name")
    spec = request.service.get(name).spec()
    before, wanted = form_fields(spec), {**dict.fromkeys(form_fields(spec), ""), **request.form}
    try:
        request.service.change(name, **settings_to_change(before, wanted, name))
    except InvalidSpec as error:
        return _page(request, spec, wanted, [str(spelled(fault, Face.CONSOLE)) for fault in error.faults])
    except AlfineError as error:
        return _page(request, spec, wanted, [str(error)])
    request.backend.changed()
    request.backend.run(name)
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def _page(request: PageRequest, spec: TuningJobSpec, fields: Fields, faults: Sequence[str] = ()) -> Response:
    job = request.service.get(spec.name)
    return request.render(
        "change.html",
        422 if faults else 200,
        name=spec.name,
        ended=job.ended,
        job_status=job.status,
        fields=fields,
        labels={field.word: field.label for field in FIELDS},
        faults=faults,
        at_end=AT_END,
        early_stopping=EARLY_STOPPING_TYPES,
        spec=spec,
        is_function=any(FUNCTION in part.definition.static_hyperparameters for part in spec.definition_specs),
    )


def form_fields(spec: TuningJobSpec) -> Fields:
    """Return the fields of the form for a job."""
    fields = {
        "max_training_jobs": _text(spec.max_training_jobs),
        "max_parallel": _text(spec.max_parallel),
        "max_runtime_seconds": _text(spec.max_runtime_seconds),
        "early_stopping": spec.early_stopping,
        "at_end": spec.settings.get("at-end", AT_END[0]),
        "repeats": spec.settings.get("repeats", ""),
        "price_per_hour": _text(spec.price_per_hour),
    }
    return {**fields, **criteria_fields(criteria_for(spec))}


def criteria_fields(criteria: Iterable[CompletionCriterion]) -> Fields:
    """Return the fields of completion criteria: those of the common ones, and the others as text, one per line."""
    fields: Fields = dict.fromkeys(("target", "patience", "strict", "convergence", "epsilon", "delta"), "")
    others: list[str] = []
    shown: set[type] = set()
    for criterion in criteria:
        if type(criterion) in shown:  # a field shows only one criterion of a kind
            others.append(text_format.say(criterion))
            continue
        shown.add(type(criterion))
        match criterion:
            case TargetObjectiveMetricValue(target=target):
                fields["target"] = _text(target)
            case BestObjectiveNotImproving(max_number_of_training_jobs_not_improving=patience, strict=strict):
                fields |= {"patience": _text(patience), "strict": "on" if strict else ""}
            case ConvergenceDetected() if criterion == ConvergenceDetected(criterion.epsilon, criterion.delta):
                fields |= {
                    "convergence": "on",
                    "epsilon": _text(criterion.epsilon),
                    "delta": _text(criterion.delta),
                }
            case _ if not isinstance(criterion, NOT_IN_TEXT):
                others.append(text_format.say(criterion))
    return {**fields, "others": "\n".join(others)}


def settings_to_change(before: Fields, wanted: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the arguments of `Service.change` for the fields that differ.

    Args:
        before: The fields as the job is now.
        wanted: The submitted fields.
        name: The name of the job, for messages.

    Raises:
        InvalidSpec: With every fault of the submitted fields, or because nothing differs.
    """
    faults: list[Fault] = []
    words: dict[str, Any] = dict(_limits(before, wanted, faults))
    for key in ("early_stopping", "at_end"):
        if wanted[key] and wanted[key] != before[key]:
            words[key] = wanted[key]
    if wanted["repeats"].strip() != before["repeats"]:
        words["repeats"] = wanted["repeats"].strip() or "never"
    criteria = ("target", "patience", "strict", "convergence", "epsilon", "delta", "others")
    faults += _without_their_criterion(before, wanted)
    if any(wanted[key].strip() != before[key] for key in criteria):
        words["criteria"] = list(_criteria(wanted, faults))
    if faults:
        raise InvalidSpec(faults)
    if not words:
        raise InvalidSpec([Fault(name, "the job already has these settings.")])
    return words


def _limits(before: Fields, wanted: Mapping[str, str], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for key in LIMITS:
        path = WORDS[key].label
        if wanted[key].strip() == before[key]:
            continue
        if not wanted[key].strip():
            faults.append(Fault(path, "a limit can be changed, but not removed. Give a number."))
            continue
        number = _number(wanted[key], path, faults, whole=key in WHOLE)
        if number is not None and (number < 0 if key in MAY_BE_ZERO else number <= 0):
            allowed = "0 or more" if key in MAY_BE_ZERO else "more than 0"
            faults.append(Fault(path, f"{wanted[key][:LONGEST_NUMBER]!r} must be {allowed}."))
        yield key, number


def _without_their_criterion(before: Fields, wanted: Mapping[str, str]) -> Iterator[Fault]:
    """Yield a fault for each setting that was filled in for a criterion that is off. Settings of a criterion that was turned off don't count."""
    for key in ("epsilon", "delta"):
        if not wanted["convergence"] and wanted[key].strip() not in ("", before[key]):
            yield Fault(f"{CONVERGENCE} {key}", "this setting belongs to «Stop on convergence». Tick that, too.")
    if wanted["strict"] and not before["strict"] and not wanted["patience"].strip():
        message = (
            "«Count any improvement» belongs to a number of training jobs without improvement. Give that number, too."
        )
        yield Fault(PATIENCE, message)


def _criteria(wanted: Mapping[str, str], faults: list[Fault]) -> Iterator[CompletionCriterion]:
    for key, begin in (("target", TargetObjectiveMetricValue.__name__), ("patience", PATIENCE)):
        value = _number(wanted[key], begin, faults, whole=key == "patience")
        if value is not None:
            strict = " strict=true" if key == "patience" and wanted["strict"] else ""
            yield from _read(f"{begin} {value!r}{strict}", faults)
    if wanted["convergence"]:
        settings = [(key, _number(wanted[key], f"{CONVERGENCE} {key}", faults)) for key in ("epsilon", "delta")]
        text = "".join(f" {key}={value!r}" for key, value in settings if value is not None)
        yield from _read(f"{CONVERGENCE}{text}", faults)
    for line in wanted["others"][:LONGEST_TEXT].splitlines():
        if line.strip():
            yield from _read(line.strip(), faults)


def _read(text: str, faults: list[Fault]) -> Iterator[CompletionCriterion]:
    try:
        yield criterion_from_text(text)
    except InvalidSpec as error:
        faults += error.faults


def _number(text: str, path: str, faults: list[Fault], *, whole: bool = False) -> Any:
    """Return the number in a field, or None for an empty field and, with a fault, for anything else."""
    text = text.strip()
    if not text:
        return None
    try:
        value = int(text) if whole or text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or len(text) > LONGEST_NUMBER:
        faults.append(Fault(path, f"{text[:LONGEST_NUMBER]!r} must be a {'whole ' if whole else ''}number."))
        return None
    return value


def _text(value: Any) -> str:
    return "" if value is None else exact(value) if isinstance(value, float) else str(value)
