"""Completion criteria: when the tuning job is done. This table is the only list of them.

A new criterion is one file and one line: a frozen dataclass (`CompletionCriterion` in core/protocols.py says what it has), and its entry in
CRITERIA below. A package adds its own as entry points in the group `alfine.criteria`. Everything else reads this table: job files, the
command line, requests, replays, the forecast, the console, the contract suite and the reference. docs/how-to/add-a-criterion.md shows
how. What its author finds here:

    checks.py        checks of settings, with messages that say what is wanted
    tags.py          read_tag and write_tag: settings in the tag of a request
    future.py        what may come of a job, for the forecast
    text_format.py   criteria as text
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any, TypeAlias

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.protocols import ChecksSpec, CompletionCriterion
from alfine.core.spec import TuningJobSpec
from alfine.criteria import tags, text_format
from alfine.criteria.checks import all_criteria
from alfine.criteria.combinations import AllOf, AnyOf, AtLeast
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.deadline import Deadline
from alfine.criteria.marginal_value import MarginalValue
from alfine.criteria.max_cost import MaxCost
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.max_runtime_in_seconds import MaxRuntimeInSeconds
from alfine.criteria.no_training_job_succeeded import NoTrainingJobSucceeded
from alfine.criteria.not_before import NotBefore
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.search_space_exhausted import SearchSpaceExhausted
from alfine.criteria.shadow import Shadow
from alfine.criteria.steady import Steady
from alfine.criteria.stop_requested import StopRequested
from alfine.criteria.target import TargetObjectiveMetricValue

CRITERIA: dict[str, type[CompletionCriterion]] = {
    "TargetObjectiveMetricValue": TargetObjectiveMetricValue,
    "BestObjectiveNotImproving": BestObjectiveNotImproving,
    "ConvergenceDetected": ConvergenceDetected,
    "MaxNumberOfTrainingJobs": MaxNumberOfTrainingJobs,
    "MaxRuntimeInSeconds": MaxRuntimeInSeconds,
    "MaxCost": MaxCost,
    "MarginalValue": MarginalValue,
    "Deadline": Deadline,
    # Made of other criteria:
    "AllOf": AllOf,
    "AnyOf": AnyOf,
    "AtLeast": AtLeast,
    "NotBefore": NotBefore,
    "Steady": Steady,
    "Shadow": Shadow,
}
"""The criteria that a user can set, AMT's in AMT's order. On a tie the first one is named as the reason."""

ALWAYS: tuple[type[CompletionCriterion], ...] = (StopRequested, NoTrainingJobSucceeded, SearchSpaceExhausted)
"""The criteria that every job has. On a tie they come first."""

GROUP = "alfine.criteria"
"""The group of entry points by which other packages add criteria."""

Given: TypeAlias = CompletionCriterion | str | Sequence[CompletionCriterion | str]
"""Criteria as a caller gives them: one or several, each as an object or as text."""


@cache
def table() -> dict[str, type[CompletionCriterion]]:
    """Return CRITERIA and what installed packages add to it, by the names of the classes."""
    added = [point.load() for point in entry_points(group=GROUP)]
    return {**CRITERIA, **{kind.__name__: kind for kind in added}}


def known() -> dict[str, type[CompletionCriterion]]:
    """Return every class of criteria by its name: those that a user can set, and those that every job has."""
    return {kind.__name__: kind for kind in (*ALWAYS, *table().values())}


def always_present(name: str) -> bool:
    """Return whether every job has the criterion of this name, so that people see it only once it has made progress."""
    return getattr(known().get(name), "always_present", False)


def labels(name: str) -> dict[str, str]:
    """Return the names for people of the numbers in the evidence of the criterion of this name.

    Others' names follow: the evidence of a criterion around another one holds the numbers of both.

    Args:
        name: The name of a criterion's class, as its verdicts have it.
    """
    first = known().get(name)
    kinds = [*known().values(), *([first] if first else [])]
    return {key: words for kind in kinds for key, words in getattr(kind, "labels", {}).items()}


def criteria_for(spec: TuningJobSpec) -> tuple[CompletionCriterion, ...]:
    """Return every criterion that applies to a job, in the order in which ties are broken.

    Args:
        spec: The tuning job.

    Raises:
        InvalidSpec: A setting makes no sense, or a criterion can't be judged in this job.
    """
    of_classes = (_asked(kind, spec) for kind in (*ALWAYS, *table().values()))
    criteria = [criterion for criterion in of_classes if criterion is not None]
    criteria += tags.from_settings(spec.settings, table())
    check_demands(spec, criteria)
    return tuple(criteria)


def _asked(kind: type[CompletionCriterion], spec: TuningJobSpec) -> CompletionCriterion | None:
    """Return the criterion of this class that the job asks for. What a plug-in raises on bad settings is a fault of the request."""
    try:
        return kind.from_spec(spec)
    except InvalidSpec:
        raise
    except Exception as error:
        name, text = kind.__name__, spec.settings.get(kind.__name__, "")
        message = f"{text!r:.100} can't be read as the settings of {name}: {type(error).__name__}: {error}."
        raise InvalidSpec([Fault(f"Tags.alfine:{name}", message)]) from error


def check_demands(spec: TuningJobSpec, criteria: Iterable[CompletionCriterion]) -> None:
    """Check that the criteria, and the parts of those that are made of others, can be judged in a job.

    Args:
        spec: The tuning job.
        criteria: Its criteria.

    Raises:
        InvalidSpec: With what the job lacks, such as a price.
    """
    faults = [
        fault
        for criterion in criteria
        for part in text_format.parts_of(criterion)
        for fault in (part.faults(spec) if isinstance(part, ChecksSpec) else ())
    ]
    if faults:
        raise InvalidSpec(faults)


def can_be_kept(criterion: CompletionCriterion) -> bool:
    """Return whether a job can be recorded with the criterion: its class must be known by name. A Tuner and replays take any."""
    return all(type(part) in table().values() for part in text_format.parts_of(criterion))


def put_criteria(request: MutableMapping[str, Any], criteria: Iterable[CompletionCriterion]) -> None:
    """Write criteria into a CreateHyperParameterTuningJob request.

    A field of AMT's and a tag of a criterion's own hold one criterion of a kind. More of that kind go into the tags for combinations.

    Args:
        request: The request, which is changed.
        criteria: The criteria, in order; of two of a kind the second goes into the tags.

    Raises:
        InvalidSpec: A criterion couldn't be read again (`can_be_kept`).
    """
    placed: set[type] = set()
    for criterion in criteria:
        if not can_be_kept(criterion):
            message = (
                f"{criterion!r:.100} can't be kept with a job, since its class wouldn't be known when the job is read again. Make it an "
                f"entry point in the group {GROUP} (docs/how-to/add-a-criterion.md), or use alfine.Tuner."
            )
            raise InvalidSpec([Fault("criteria", message)])
        if type(criterion) in placed:
            tags.append_to(request, criterion)
        else:
            criterion.to_request(request)
        placed.add(type(criterion))


def criteria_of(given: Given) -> list[CompletionCriterion]:
    """Return criteria as a list of objects.

    Args:
        given: One or several, each as an object or as text.

    Raises:
        InvalidSpec: A text can't be understood, or something isn't a criterion.
    """
    several = [given] if isinstance(given, str | Mapping) or not isinstance(given, Iterable) else [*given]
    criteria = [criterion_from_text(entry) if isinstance(entry, str) else entry for entry in several]
    all_criteria("criteria", criteria)
    return criteria


def criterion_from_text(text: str) -> CompletionCriterion:
    """Return the criterion that a text stands for: «BestObjectiveNotImproving 10 strict=true», «AllOf(ConvergenceDetected, …)».

    Args:
        text: The name of a class, then its settings, by name or in the order of the class's fields.

    Raises:
        InvalidSpec: The text can't be understood.
    """
    return text_format.read(text, table())
