"""Advice on the completion criterion that suits a team, judged on its own past tuning jobs.

Every recorded job is judged, fact by fact, by all candidate criteria at once; none of them ends it. The evidence is what each would have
saved and missed on each job. Recommended is the candidate that would have run the least training, among those that missed more than a
tolerance in few enough jobs.

Source: the upper bound of the rate of misses is the one-sided interval of Clopper and Pearson, 1934, «The use of confidence or fiducial
limits illustrated in the case of the binomial»; without a miss it is about 3 / n, the rule of three of Hanley and Lippman-Hand, 1983,
«If nothing goes wrong, is everything all right?».
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alfine.core.facts import Changed, Fact
from alfine.core.history import History, mean
from alfine.core.judge import Judge
from alfine.core.protocols import CompletionCriterion
from alfine.core.verdict import Outlook
from alfine.criteria import criterion_from_text
from alfine.criteria.combinations import AllOf
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.max_number_of_training_jobs import MaxNumberOfTrainingJobs
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.shadow import Shadow
from alfine.criteria.steady import Steady
from alfine.criteria.text_format import say
from alfine.jobs.policy_for import policy_for

LEAST_OBJECTIVES = 20
"""Objectives of a recorded job that is judged: shorter jobs have nothing to save."""

TOLERANCE = 0.01
"""Tolerated loss, as a share of the absolute value of the best objective."""

RISK = 0.05
"""The share of jobs in which more may be missed."""

CONFIDENCE = 0.95
"""Confidence of the upper bound of the rate of misses, one-sided."""

PATIENCE, CONVERGENCE = BestObjectiveNotImproving.__name__, ConvergenceDetected.__name__
CANDIDATES = (
    *(f"{PATIENCE} {n}" for n in (5, 10, 15, 20, 30, 50)),
    *(f"{PATIENCE} {n} strict=true" for n in (10, 20, 30, 50)),
    *(f"{CONVERGENCE} delta={delta}" for delta in (0.3, 0.2, 0.1, 0.05, 0.02)),
    f"{Steady.__name__}({CONVERGENCE} delta=0.1, times=3)",
    say(AllOf(BestObjectiveNotImproving(10), ConvergenceDetected(delta=0.2))),
    *(f"{MaxNumberOfTrainingJobs.__name__} {n}" for n in (25, 50, 75, 100, 150)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateOutcome:
    """The outcome of a candidate for one recorded job.

    Attributes:
        job: The tuning job's name.
        training_jobs: How many would have been launched.
        share_of_jobs: Their share of those that were launched.
        share_of_seconds: The share of training time that would have been spent.
        metric: The name of the objective.
        best: The best objective of the whole job.
        loss: By how much the best objective would have been worse, in units of the objective.
    """

    job: str
    training_jobs: int
    share_of_jobs: float
    share_of_seconds: float
    metric: str
    best: float
    loss: float

    @property
    def missed(self) -> float:
        """The loss as a share of the best objective's absolute value; the loss itself where that is 0."""
        return self.loss / (abs(self.best) or 1.0)

    @property
    def is_share(self) -> bool:
        """Return whether that share says something: where the best is nearly 0, any loss is many times as large."""
        return self.loss < abs(self.best) or not self.loss


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateCriterion:
    """A candidate, as text, and what it would have meant for every recorded job.

    Attributes:
        tolerance: What counts as a miss.
    """

    text: str
    outcomes: tuple[CandidateOutcome, ...]
    tolerance: float

    @property
    def share_of_jobs(self) -> float:
        """The mean share of training jobs that would have been launched."""
        return mean([outcome.share_of_jobs for outcome in self.outcomes])

    @property
    def share_of_seconds(self) -> float:
        """The mean share of training time that would have been spent."""
        return mean([outcome.share_of_seconds for outcome in self.outcomes])

    @property
    def missed(self) -> float:
        """The mean of what would have been missed."""
        return mean([outcome.missed for outcome in self.outcomes])

    @property
    def mean_loss(self) -> float | None:
        """The mean of the losses, in units of the objective; None for jobs with different metrics."""
        metrics = {outcome.metric for outcome in self.outcomes}
        return mean([outcome.loss for outcome in self.outcomes]) if len(metrics) == 1 else None

    @property
    def worst(self) -> CandidateOutcome:
        """The job in which the most would have been missed."""
        return max(self.outcomes, key=lambda outcome: outcome.missed)

    @property
    def misses(self) -> int:
        """Return the number of jobs in which more than the tolerance would have been missed."""
        return sum(outcome.missed > self.tolerance for outcome in self.outcomes)

    @property
    def rate_at_most(self) -> float:
        """The upper bound of the rate of misses, with CONFIDENCE: few jobs prove little."""
        from scipy.stats import beta

        count, misses = len(self.outcomes), self.misses
        return 1.0 if misses == count else float(beta.ppf(CONFIDENCE, misses + 1, count - misses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Findings about the candidates, from recorded jobs.

    Attributes:
        candidates: All, the one that would have run the least training first.
        recommended: One of them; None if none saves training within the risk.
        left_out: The names of jobs that were too short to be judged.
    """

    candidates: tuple[CandidateCriterion, ...]
    recommended: CandidateCriterion | None
    left_out: tuple[str, ...]


def advise(
    histories: Sequence[History],
    *,
    tolerance: float = TOLERANCE,
    risk: float = RISK,
    candidates: Sequence[str] = CANDIDATES,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005 - the same arguments
) -> Advice:
    """Judge candidate criteria on recorded jobs that have ended.

    Args:
        histories: Of the jobs.
        tolerance: See TOLERANCE.
        risk: See RISK.
        candidates: Criteria, as `alfine.criteria.text_format` reads them.
        progress: Is told how many facts of the jobs are judged, and of how many.

    Returns:
        The advice; of the candidates within the risk it recommends the one with the least mean training time.
    """
    usable = [history for history in histories if len(history.observations()[1]) >= LEAST_OBJECTIVES]
    outcomes = []
    for history, tell in _each_with_progress(usable, progress):
        outcomes.append(_outcomes(history, [criterion_from_text(text) for text in candidates], tell))
    judged = [
        CandidateCriterion(text=text, outcomes=tuple(of_job[index] for of_job in outcomes), tolerance=tolerance)
        for index, text in enumerate(candidates if outcomes else ())
    ]
    judged.sort(key=lambda candidate: (candidate.share_of_seconds, candidate.missed))
    good = [one for one in judged if one.misses <= risk * len(usable) and one.share_of_seconds < 1.0]
    left_out = tuple(history.spec.name for history in histories if history not in usable)
    return Advice(candidates=tuple(judged), recommended=good[0] if good else None, left_out=left_out)


def _each_with_progress(
    histories: Sequence[History], progress: Callable[[int, int], None]
) -> Iterator[tuple[History, Callable[[int], None]]]:
    """Yield each history with what is told how many of its facts are judged."""
    before, total = 0, sum(len(history.facts) for history in histories)
    for history in histories:
        yield history, lambda done, earlier=before: progress(earlier + done, total)  # type: ignore[misc]
        before += len(history.facts)


def _outcomes(
    record: History, criteria: Sequence[CompletionCriterion], judged: Callable[[int], None]
) -> tuple[CandidateOutcome, ...]:
    """Return what each criterion would have meant for one job; `judged` is told how many facts have been judged."""
    policy = policy_for(record.spec, [Shadow(criterion) for criterion in criteria])
    judge = Judge(record.under(record.spec), policy)

    def facts() -> Iterator[Fact]:
        for count, fact in enumerate(record.facts, 1):
            judged(count)
            if not isinstance(fact, Changed):
                yield fact

    judge.record(facts())
    return tuple(_outcome(record, verdict.evidence) for verdict in judge.verdicts)


def _outcome(record: History, evidence: Mapping[str, Any]) -> CandidateOutcome:
    jobs = evidence.get("would_have_ended_after_training_jobs", record.launches)
    seconds = evidence.get("training_seconds_then", record.training_seconds)
    loss = evidence.get("missed") or 0.0
    best = record.incumbent.objective if record.incumbent else None
    if evidence.get("would_have") == Outlook.DRAIN:  # the running training jobs would have finished, and counted
        drained = record.jobs[:jobs]
        seconds = sum(job.seconds for job in drained)
        objectives = [record.sign * job.objective for job in drained if job.objective is not None]
        loss = max(0.0, min(objectives) - record.sign * best) if objectives and best is not None else loss
    return CandidateOutcome(
        job=record.spec.name,
        training_jobs=jobs,
        share_of_jobs=jobs / record.launches,
        share_of_seconds=seconds / record.training_seconds if record.training_seconds else 1.0,
        metric=record.spec.metric,
        best=best or 0.0,
        loss=loss,
    )
