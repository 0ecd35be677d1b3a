"""Which completion criterion a team should use, learned from its own past tuning jobs.

Every recorded job is fed, fact by fact, to every rule of a menu at once; each rule only watches. What it would have saved and
missed on each job is the evidence, and the recommendation is the rule that would have run the least training among those that
hardly ever missed more than a tolerance. Sources: the rule of three for the bound on a rate that was never seen (Hanley and
Lippman-Hand 1983); Clopper and Pearson 1934 in general.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alfine.core.facts import Changed
from alfine.core.history import History
from alfine.core.judge import Judge
from alfine.core.policy import CompletionCriterion, Outlook
from alfine.criteria import criterion_from_text
from alfine.criteria.combinations import AllOf
from alfine.criteria.convergence import ConvergenceDetected
from alfine.criteria.limits import MaxNumberOfTrainingJobs
from alfine.criteria.plateau import BestObjectiveNotImproving
from alfine.criteria.shadow import Shadow
from alfine.criteria.steady import Steady
from alfine.criteria.text_format import say
from alfine.jobs.policy_for import policy_for

LEAST_OBJECTIVES = 20  # a shorter record has nothing to save
TOLERANCE, RISK = 0.01, 0.05
PATIENCE, CONVERGENCE = BestObjectiveNotImproving.__name__, ConvergenceDetected.__name__
MENU = (
    *(f"{PATIENCE} {n}" for n in (5, 10, 15, 20, 30, 50)),
    *(f"{PATIENCE} {n} strict=true" for n in (10, 20, 30, 50)),
    *(f"{CONVERGENCE} delta={delta}" for delta in (0.3, 0.2, 0.1, 0.05, 0.02)),
    f"{Steady.__name__}({CONVERGENCE} delta=0.1, times=3)",
    say(AllOf(BestObjectiveNotImproving(10), ConvergenceDetected(delta=0.2))),
    *(f"{MaxNumberOfTrainingJobs.__name__} {n}" for n in (25, 50, 75, 100, 150)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rule would have meant for one recorded job. The shares are of the record's; missed is relative to its best."""

    job: str
    training_jobs: int
    share_of_jobs: float
    share_of_seconds: float
    missed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of the menu, and what it would have meant for every job."""

    text: str
    outcomes: tuple[Outcome, ...]
    tolerance: float

    @property
    def share_of_jobs(self) -> float:
        return _mean([each.share_of_jobs for each in self.outcomes])

    @property
    def share_of_seconds(self) -> float:
        return _mean([each.share_of_seconds for each in self.outcomes])

    @property
    def missed(self) -> float:
        return _mean([each.missed for each in self.outcomes])

    @property
    def worst(self) -> Outcome:
        return max(self.outcomes, key=lambda each: each.missed)

    @property
    def misses(self) -> int:
        """In how many jobs more than the tolerance would have been missed."""
        return sum(each.missed > self.tolerance for each in self.outcomes)

    @property
    def rate_at_most(self) -> float:
        """Upper end of the 95 % confidence interval (one-sided) of the rate of misses: few jobs prove little."""
        from scipy.stats import beta

        count, misses = len(self.outcomes), self.misses
        return 1.0 if misses == count else float(beta.ppf(0.95, misses + 1, count - misses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The rules, the one that runs the least first; the recommended one, if any; jobs that were too short to learn from."""

    rules: tuple[Rule, ...]
    recommended: Rule | None
    left_out: tuple[str, ...]


def advise(
    histories: Sequence[History], *, tolerance: float = TOLERANCE, risk: float = RISK, menu: Sequence[str] = MENU
) -> Advice:
    """Judge the menu on recorded jobs that have ended.

    tolerance: what may be missed, as a share of the absolute value of the best objective. risk: the share of jobs that may miss
    more. The recommended rule is the one of the least training seconds, in the mean, within the risk.
    """
    usable = [each for each in histories if len(each.observations()[1]) >= LEAST_OBJECTIVES]
    outcomes = [_outcomes(history, [criterion_from_text(text) for text in menu]) for history in usable]
    rules = [
        Rule(text=text, outcomes=tuple(each[index] for each in outcomes), tolerance=tolerance)
        for index, text in enumerate(menu if outcomes else ())
    ]
    rules.sort(key=lambda rule: (rule.share_of_seconds, rule.missed))
    good = [rule for rule in rules if rule.misses <= risk * len(usable) and rule.share_of_seconds < 1.0]
    left_out = tuple(each.spec.name for each in histories if each not in usable)
    return Advice(rules=tuple(rules), recommended=good[0] if good else None, left_out=left_out)


def _outcomes(record: History, rules: Sequence[CompletionCriterion]) -> tuple[Outcome, ...]:
    """What each rule would have meant for one job."""
    policy = policy_for(record.spec, [Shadow(rule) for rule in rules])
    judge = Judge(record.under(record.spec), policy)
    judge.record(fact for fact in record.facts if not isinstance(fact, Changed))
    return tuple(_outcome(record, verdict.evidence) for verdict in judge.verdicts)


def _outcome(record: History, evidence: Mapping[str, Any]) -> Outcome:
    jobs = evidence.get("would_have_ended_after_training_jobs", record.launches)
    seconds = evidence.get("training_seconds_then", record.training_seconds)
    missed = evidence.get("missed") or 0.0
    best = record.incumbent.objective if record.incumbent else None
    if evidence.get("would_have") == Outlook.DRAIN:  # what ran then would have finished, and counted
        drained = record.jobs[:jobs]
        seconds = sum(job.seconds for job in drained)
        found = [record.sign * job.objective for job in drained if job.objective is not None]
        missed = min(found) - record.sign * best if found and best is not None else missed
    return Outcome(
        job=record.spec.name,
        training_jobs=jobs,
        share_of_jobs=jobs / record.launches,
        share_of_seconds=seconds / record.training_seconds if record.training_seconds else 1.0,
        missed=missed / (abs(best or 0.0) or 1.0),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
