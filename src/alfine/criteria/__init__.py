"""When the tuning job is done: one file a criterion. This table is the only list of them.

A new one is a file with a frozen dataclass (`from_spec`, `check`, `to_request`; see core/policy.py) and a line here;
from outside, an entry point in the group `alfine.criteria`. The contract suite, `alfine replay` and the reference page read
this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.policy import ChecksSpec, CompletionCriterion
from alfine.core.spec import TuningJobSpec
from alfine.criteria import tags, text_format
from alfine.criteria.checks import all_criteria
from alfine.criteria.combinations import AllOf, AnyOf, AtLeast
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.deadline import Deadline
from alfine.criteria.limits import (
    MaxNumberOfTrainingJobs,
    MaxRuntimeInSeconds,
    NoTrainingJobSucceeded,
    SearchSpaceExhausted,
    StopRequested,
)
from alfine.criteria.money import MarginalValue, MaxCost
from alfine.criteria.not_before import NotBefore
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.shadow import Shadow
from alfine.criteria.steady import Steady
from alfine.criteria.target import TargetObjectiveMetricValue

# Those that a user can set, AMT's in AMT's order: on a tie the first is named as the reason.
CRITERIA: dict[str, type[CompletionCriterion]] = {
    "TargetObjectiveMetricValue": TargetObjectiveMetricValue,
    "BestObjectiveNotImproving": BestObjectiveNotImproving,
    "ConvergenceDetected": ConvergenceDetected,
    "MaxNumberOfTrainingJobs": MaxNumberOfTrainingJobs,
    "MaxRuntimeInSeconds": MaxRuntimeInSeconds,
    "MaxCost": MaxCost,
    "MarginalValue": MarginalValue,
    "Deadline": Deadline,
    # Made of other criteria; a job may have several of each.
    "AllOf": AllOf,
    "AnyOf": AnyOf,
    "AtLeast": AtLeast,
    "NotBefore": NotBefore,
    "Steady": Steady,
    "Shadow": Shadow,
}

# Those that every job has, whatever it asked for.
ALWAYS: tuple[type[CompletionCriterion], ...] = (StopRequested, NoTrainingJobSucceeded, SearchSpaceExhausted)

Given: TypeAlias = CompletionCriterion | str | Sequence[CompletionCriterion | str]


@cache
def table() -> dict[str, type[CompletionCriterion]]:
    """CRITERIA and what installed packages add to it."""
    return {**CRITERIA, **{point.name: point.load() for point in entry_points(group="alfine.criteria")}}


def known() -> dict[str, type[CompletionCriterion]]:
    """Return every class of criteria by its name: those that a user can set, and those that every job has."""
    return {kind.__name__: kind for kind in (*ALWAYS, *table().values())}


def always_present(name: str) -> bool:
    """Return whether every job has the criterion of this name, so that people see it only once it has made progress."""
    return getattr(known().get(name), "always_present", False)


def labels(name: str) -> dict[str, str]:
    """Return the names for people of the numbers in the evidence of the criterion of this name.

    Others' names follow: the evidence of a criterion around another one holds the numbers of both.
    """
    first = known().get(name)
    kinds = [*known().values(), *([first] if first else [])]
    return {key: words for kind in kinds for key, words in getattr(kind, "labels", {}).items()}


def criteria_for(spec: TuningJobSpec) -> tuple[CompletionCriterion, ...]:
    """Every criterion that applies to the job, in the order in which ties are broken.

    Raise InvalidSpec when one, or a part of one, can't be judged in this job.
    """
    asked = (_asked(kind, spec) for kind in (*ALWAYS, *table().values()))
    found = [criterion for criterion in asked if criterion is not None]
    found += tags.from_settings(spec.settings, table())
    check_demands(spec, found)
    return tuple(found)


def _asked(kind: type[CompletionCriterion], spec: TuningJobSpec) -> CompletionCriterion | None:
    """The criterion of this class that the job asks for. What a plug-in raises on bad settings is a fault of the request."""
    try:
        return kind.from_spec(spec)
    except InvalidSpec:
        raise
    except Exception as error:
        name, text = kind.__name__, spec.settings.get(kind.__name__, "")
        message = f"{text!r:.100} can't be read as the settings of {name}: {type(error).__name__}: {error}."
        raise InvalidSpec([Fault(f"Tags.alfine:{name}", message)]) from error


def check_demands(spec: TuningJobSpec, criteria: Iterable[CompletionCriterion]) -> None:
    """Raise InvalidSpec when one of the criteria, or a part of one, can't be judged in this job."""
    faults = [
        fault
        for criterion in criteria
        for part in text_format.parts_of(criterion)
        for fault in (part.faults(spec) if isinstance(part, ChecksSpec) else ())
    ]
    if faults:
        raise InvalidSpec(faults)


def can_be_kept(criterion: CompletionCriterion) -> bool:
    """Whether a request can say it, so that it's read again from the record: a Tuner and replays take others, too."""
    return all(type(part) in table().values() for part in text_format.parts_of(criterion))


def put_criteria(request: MutableMapping[str, Any], criteria: Iterable[CompletionCriterion]) -> None:
    """Write criteria into a request. A field of AMT's and a tag hold one of a kind: others of it go where combinations do.

    Raise InvalidSpec for one that couldn't be read again.
    """
    placed: set[type] = set()
    for criterion in criteria:
        if not can_be_kept(criterion):
            message = (
                f"{criterion!r:.100} can't be kept with a job, since it wouldn't be known when the job is read again. Make it an entry "
                "point in the group alfine.criteria (CONTRIBUTING.md), or use alfine.Tuner."
            )
            raise InvalidSpec([Fault("criteria", message)])
        if type(criterion) in placed:
            tags.append_to(request, criterion)
        else:
            criterion.to_request(request)
        placed.add(type(criterion))


def criteria_of(given: Given) -> list[CompletionCriterion]:
    """Criteria as a caller gives them: one or several, as they are or as text. Raise InvalidSpec for what is none."""
    several = [given] if isinstance(given, str | Mapping) or not isinstance(given, Iterable) else [*given]
    found = [criterion_from_text(each) if isinstance(each, str) else each for each in several]
    all_criteria("criteria", found)
    return found


def criterion_from_text(text: str) -> CompletionCriterion:
    """Read «BestObjectiveNotImproving 10 strict=true», «AllOf(ConvergenceDetected, NotBefore(…))»: see criteria/text_format.py.

    Raise InvalidSpec for what can't be understood.
    """
    return text_format.read(text, table())
