"""The form that changes a job's limits and criteria, or has an ended job go on: what it shows of a job, what it asks for.

Every completion criterion of a job is in the form, since new ones take the place of all: the three that most jobs have in fields of
their own, the others as text, one a line (criteria/text_format.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.policy import AT_END, CompletionCriterion
from alfine.core.spec import EARLY_STOPPING_TYPES, FUNCTION, TuningJobSpec
from alfine.criteria import ALWAYS, criteria_for, criterion_from_text, text_format
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.limits import MaxNumberOfTrainingJobs, MaxRuntimeInSeconds
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.target import TargetObjectiveMetricValue
from alfine.server.console.page_request import Visit

LIMITS = {
    "max_training_jobs": "MaxNumberOfTrainingJobs",
    "max_parallel": "MaxParallelTrainingJobs",
    "max_runtime_seconds": "MaxRuntimeInSeconds",
    "price_per_hour": "price per hour",
}
WHOLE = ("max_training_jobs", "max_parallel")
FROM_ZERO = ("price_per_hour",)
HAS_A_LIMIT = (*ALWAYS, MaxNumberOfTrainingJobs, MaxRuntimeInSeconds)
LONGEST_TEXT = 4000
Fields = dict[str, str]


def page(visit: Visit) -> Response:
    spec = visit.service.get(visit.part("name")).spec()
    return _page(visit, spec, fields_of(spec))


def change(visit: Visit) -> Response:
    """Carry out what the form asks for, as `alfine change` does; with its faults the form comes back as it was filled in."""
    name = visit.part("name")
    spec = visit.service.get(name).spec()
    before, wanted = fields_of(spec), {**dict.fromkeys(fields_of(spec), ""), **visit.form}
    try:
        visit.service.change(name, **words_of(before, wanted, name))
    except InvalidSpec as error:
        return _page(visit, spec, wanted, [str(fault) for fault in error.faults])
    except AlfineError as error:
        return _page(visit, spec, wanted, [str(error)])
    visit.backend.changed()
    visit.backend.run(name)
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def _page(visit: Visit, spec: TuningJobSpec, fields: Fields, faults: Sequence[str] = ()) -> Response:
    job = visit.service.get(spec.name)
    return visit.page(
        "change.html",
        422 if faults else 200,
        name=spec.name,
        ended=job.ended,
        job_status=job.status,
        fields=fields,
        faults=faults,
        at_end=AT_END,
        early_stopping=EARLY_STOPPING_TYPES,
        spec=spec,
        is_function=any(FUNCTION in part.definition.static_hyperparameters for part in spec.each),
    )


def fields_of(spec: TuningJobSpec) -> Fields:
    """What the form shows of a job. A checkbox that is off is empty."""
    fields = {
        "max_training_jobs": _text(spec.max_training_jobs),
        "max_parallel": _text(spec.max_parallel),
        "max_runtime_seconds": _text(spec.max_runtime_seconds),
        "early_stopping": spec.early_stopping,
        "at_end": spec.settings.get("at-end", AT_END[0]),
        "repeats": spec.settings.get("repeats", ""),
        "price_per_hour": _text(spec.price_per_hour),
        **dict.fromkeys(("target", "patience", "strict", "convergence", "epsilon", "delta"), ""),
    }
    others: list[str] = []
    shown: set[type] = set()
    for criterion in criteria_for(spec):
        if type(criterion) in shown:  # a field shows one of a kind
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
            case _ if not isinstance(criterion, HAS_A_LIMIT):
                others.append(text_format.say(criterion))
    return {**fields, "others": "\n".join(others)}


def words_of(before: Fields, wanted: Mapping[str, str], name: str) -> dict[str, Any]:
    """The words of `Service.change` for what differs. Raise InvalidSpec with every fault."""
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
        raise InvalidSpec([Fault(name, "nothing to change: it's asked for already.")])
    return words


def _limits(before: Fields, wanted: Mapping[str, str], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for key, path in LIMITS.items():
        if wanted[key].strip() == before[key]:
            continue
        if not wanted[key].strip():
            faults.append(Fault(path, "can be changed, not taken away. Give a number."))
            continue
        number = _number(wanted[key], path, faults, whole=key in WHOLE)
        if number is not None and (number < 0 if key in FROM_ZERO else number <= 0):
            at_least = "from 0 on" if key in FROM_ZERO else "above 0"
            faults.append(Fault(path, f"{wanted[key][:40]!r} must be {at_least}."))
        yield key, number


def _without_their_criterion(before: Fields, wanted: Mapping[str, str]) -> Iterator[Fault]:
    """Settings that are filled in for a criterion that isn't asked for; what is left of one that is taken away doesn't matter."""
    for key in ("epsilon", "delta"):
        if not wanted["convergence"] and wanted[key].strip() not in ("", before[key]):
            yield Fault(f"ConvergenceDetected {key}", "counts with «Detect convergence» alone. Tick that too.")
    if wanted["strict"] and not before["strict"] and not wanted["patience"].strip():
        message = "«any improvement counts» is about a number of training jobs without one. Give that too."
        yield Fault("BestObjectiveNotImproving", message)


def _criteria(wanted: Mapping[str, str], faults: list[Fault]) -> Iterator[CompletionCriterion]:
    for key, begin in (("target", "TargetObjectiveMetricValue"), ("patience", "BestObjectiveNotImproving")):
        value = _number(wanted[key], begin, faults, whole=key == "patience")
        if value is not None:
            strict = " strict=true" if key == "patience" and wanted["strict"] else ""
            yield from _read(f"{begin} {value!r}{strict}", faults)
    if wanted["convergence"]:
        found = [(key, _number(wanted[key], f"ConvergenceDetected {key}", faults)) for key in ("epsilon", "delta")]
        settings = "".join(f" {key}={value!r}" for key, value in found if value is not None)
        yield from _read(f"ConvergenceDetected{settings}", faults)
    for line in wanted["others"][:LONGEST_TEXT].splitlines():
        if line.strip():
            yield from _read(line.strip(), faults)


def _read(text: str, faults: list[Fault]) -> Iterator[CompletionCriterion]:
    try:
        yield criterion_from_text(text)
    except InvalidSpec as error:
        faults += error.faults


def _number(text: str, path: str, faults: list[Fault], *, whole: bool = False) -> Any:
    """None for an empty field, and for what is no number, which is a fault."""
    text = text.strip()
    if not text:
        return None
    try:
        value = int(text) if whole or text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or len(text) > 40:
        faults.append(Fault(path, f"{text[:40]!r} must be a {'whole ' if whole else ''}number."))
        return None
    return value


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.15g}" if isinstance(value, float) else str(value)
