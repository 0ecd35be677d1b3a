"""Conclusions from a tuning job's history, beyond AMT's description: cost, forecast, repeats, the space, the true best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from alfine.core import cost
from alfine.core.conditions import words
from alfine.core.cost import Cost
from alfine.core.facts import Changed
from alfine.core.history import History, mean
from alfine.core.range_protocol import Range
from alfine.core.ranges import Continuous, Integer
from alfine.core.spec import TuningJobSpec, describe_ranges
from alfine.core.verdict import Outlook, Verdict, as_it_ended
from alfine.criteria.forecast import Forecast, forecast_of
from alfine.jobs.describe import TuningJobDescription
from alfine.jobs.policy_for import policy_for
from alfine.store.records import TuningJob
from alfine.store.training_times import TrainingTime
from alfine.surrogate import parent_evidence
from alfine.surrogate.best_estimate import Estimate, estimate
from alfine.surrogate.space_diagnosis import remarks
from alfine.surrogate.space_remarks import Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the best configurations, which is run again.

    Attributes:
        training_job: The training job with its first result.
        first: Its first result.
        mean: The mean of all its results.
        runs: How many results it has.
    """

    training_job: str
    first: float | None
    mean: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatsProgress:
    """The progress of the repeats of the best configurations.

    Attributes:
        best: How many of the best configurations are run again.
        times: How often each of them is run.
        launched: How many repeats were launched.
        contenders: The configurations that are run again, the best mean first.
    """

    best: int
    times: int
    launched: int
    contenders: tuple[Contender, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRules:
    """The rules of a job's settings for its search space.

    Attributes:
        conditions: When each conditional hyperparameter is active.
        forbidden: What configurations are never tried.
        start_with: The configurations that are tried first.
        auto_scaling: The scaling that Auto chose, by hyperparameter.
    """

    conditions: Mapping[str, str]
    forbidden: tuple[str, ...]
    start_with: tuple[Mapping[str, str], ...]
    auto_scaling: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Conclusions about one tuning job.

    Attributes:
        verdict: The strongest verdict; None before the first.
        verdicts: The last verdict of each criterion; of the one that ended the job, the verdict by which it did.
        bound: What the job can cost at most.
        spent: What it has cost.
        saved: What a criterion saved that ended the job early.
        forecast: When and why the search ends, while it goes on.
        warm_start: What becomes of the parents' results, as a sentence.
        best: What the best training job is truly worth.
        remarks: What the results say of the search space.
        changed_at: When the user changed the job.
    """

    verdict: Verdict | None
    verdicts: tuple[Verdict, ...]
    bound: Cost | None
    spent: Cost
    saved: Cost | None
    forecast: Forecast | None
    rules: SpaceRules
    warm_start: str | None
    repeats: RepeatsProgress | None
    best: Estimate | None
    remarks: tuple[Remark, ...]
    changed_at: tuple[datetime, ...]


class Assessor:
    """Assesses tuning jobs. It keeps its last fits of each job: a page that is looked at again doesn't fit them anew."""

    def __init__(self) -> None:
        self._fits: dict[str, tuple[object, tuple[Remark, ...], Estimate | None]] = {}

    def assess(self, job: TuningJob, history: History) -> Assessment:
        """Return the assessment of a tuning job with its history."""
        on_space, best = self._fitted(job, history)
        return Assessment(
            verdict=job.verdict,
            verdicts=as_it_ended(job.verdict, job.verdicts),
            bound=cost.bound(history.spec),
            spent=cost.spent(history),
            saved=cost.saved(history) if _ended_by_criterion(job) else None,
            forecast=forecast_while_searching(job, history),
            rules=_rules(history.spec),
            warm_start=parent_evidence.sentence(history),
            repeats=_repeats(history),
            best=best,
            remarks=on_space,
            changed_at=tuple(fact.at for fact in history.facts if isinstance(fact, Changed)),
        )

    def remarks(self, job: TuningJob, history: History) -> tuple[Remark, ...]:
        """Return what the results say about the search space (surrogate/space_diagnosis.py)."""
        return self._fitted(job, history)[0]

    def _fitted(self, job: TuningJob, history: History) -> tuple[tuple[Remark, ...], Estimate | None]:
        changes = sum(isinstance(fact, Changed) for fact in history.facts)
        state = (job.id, history.ended, history.launches, changes)
        kept = self._fits.get(job.name)
        if kept is None or kept[0] != state:
            kept = self._fits[job.name] = state, remarks(history), estimate(history)
        return kept[1], kept[2]


def assessment_without_history(
    description: TuningJobDescription, times: Iterable[TrainingTime], changed_at: Sequence[datetime]
) -> Assessment:
    """Return what can be concluded about a tuning job by SQL alone: no forecast, and nothing about its results.

    Args:
        description: The tuning job.
        times: The training time of its definitions.
        changed_at: When the user changed it.
    """
    job, spec, counters = description.job, description.spec, description.counters
    instances = {
        part.definition.name if spec.parts else None: part.definition.instance_count for part in spec.definition_specs
    }
    ended = running = 0.0
    for time in times:
        ended += time.ended * instances[time.definition]
        running += time.running * instances[time.definition]
    count = counters.launched - counters.statuses["InProgress"]
    return Assessment(
        verdict=job.verdict,
        verdicts=as_it_ended(job.verdict, job.verdicts),
        bound=cost.bound(spec),
        spent=cost.cost_of(spec, ended + running),
        saved=cost.saved_by(spec, ended, count, counters.launched) if _ended_by_criterion(job) else None,
        forecast=None,
        rules=_rules(spec),
        warm_start=None,
        repeats=None,
        best=None,
        remarks=(),
        changed_at=tuple(changed_at),
    )


def forecast_while_searching(job: TuningJob, history: History) -> Forecast | None:
    """Return the forecast of a tuning job; None once it launches no new configurations."""
    is_searching = not job.ended and (job.verdict is None or job.verdict.outlook is Outlook.CONTINUE)
    return forecast_of(history, policy_for(history.spec).criteria) if is_searching else None


def _ended_by_criterion(job: TuningJob) -> bool:
    """Return whether a criterion ended the job on its results: a limit, the user's stop and a failure save nothing, they cut short."""
    verdict = job.verdict
    return job.status == "Completed" and verdict is not None and verdict.met and not verdict.is_limit


def _rules(spec: TuningJobSpec) -> SpaceRules:
    spaces = [part.space for part in spec.definition_specs]
    forbidden = dict.fromkeys(words(condition) for space in spaces for condition in space.forbidden)
    return SpaceRules(
        conditions={
            name: " or ".join(map(words, range_.requires))
            for space in spaces
            for name, range_ in space.ranges.items()
            if range_.requires
        },
        forbidden=tuple(forbidden),
        start_with=tuple(texts for part in spec.definition_specs for texts in part.start_with),
        auto_scaling=describe_ranges(spec, _auto_scaling),
    )


def _auto_scaling(range_: Range) -> str | None:
    return range_.effective_scaling if isinstance(range_, Integer | Continuous) and range_.scaling == "Auto" else None


def _repeats(history: History) -> RepeatsProgress | None:
    """Return how far the repeats are; None where none were launched."""
    repeats = history.spec.repeats
    if repeats is None or not history.repeated:
        return None
    contenders: Sequence[Contender] = [
        Contender(training_job=job.name, first=job.objective, mean=mean(values), runs=len(values))
        for job in history.contenders()
        if (values := history.runs(job))
    ]
    return RepeatsProgress(
        best=repeats.best,
        times=repeats.times,
        launched=sum(map(len, history.repeated.values())),
        contenders=tuple(sorted(contenders, key=lambda contender: history.sign * contender.mean)),
    )
