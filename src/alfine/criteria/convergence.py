"""ConvergenceDetected: complete once the rest of the budget is unlikely to improve the best by more than epsilon.

    eps = max(min(epsilon |b|, cap S), 0.001 S, and half of the noise's standard deviation where the results speak clearly for noise)

    stop when p(eps) < delta          p(eps) = P(the rest of the budget improves the best by more than eps), see improvement.py

b is the best objective, S the spread of the objectives. Sources: AMT's «unlikely to improve by more than 1 % over the best objective»;
the form of the statement, (eps, delta), is Wilson 2024, «Stopping Bayesian optimization with probabilistic regret bounds».
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of, percent, short
from alfine.core.wording import number as number_text
from alfine.criteria.amt_fields import COMPLETION_CRITERIA, section
from alfine.criteria.checks import number
from alfine.criteria.future import Future
from alfine.criteria.improvement import LEAST_RESULTS, Evidence, jobs_until, logit, read_evidence, remaining
from alfine.criteria.tags import with_tag, write_tag

VERDICT: MemoKey[Verdict] = MemoKey(__name__, "verdict")

NAME = "ConvergenceDetected"

UNKNOWN_AT_FIRST = ("probability_of_improvement", "epsilon", "expected_residual_improvement")
"""Keys of the evidence that are None until there are enough objectives."""

SPREAD_FLOOR = 0.001
"""eps is at least this share of S, for a best near 0."""

NOISE_SHARE = 0.5
"""eps is at least this share of the noise's standard deviation: smaller gains can't be told from luck."""


@dataclass(frozen=True, slots=True)
class ConvergenceDetected:
    """Complete when, with probability 1 - delta, the best found is within epsilon of what this job would still reach.

    This is a statement about the rest of this job's budget with its own strategy, not about the optimum of the search space.
    Ten objectives are needed. Without MaxNumberOfTrainingJobs the rest of the budget is taken to be as many training jobs as have
    ended, and 50 at least.

    Args:
        epsilon: The improvement that matters, relative to the absolute value of the best objective, above 0; 0.01 is AMT's «1 %».
        delta: The probability of an improvement below which the job completes, in (0, 1).
        cap: An upper bound of the improvement that matters, above 0, as a share of the spread between a typical and the best training
            job; None for none. 0.1 is stricter where 1 % of the objective is a large part of its range.

    Source: AMT's API reference (TuningJobCompletionCriteria.ConvergenceDetected); for the form of the statement Wilson 2024, «Stopping
        Bayesian optimization with probabilistic regret bounds». How well it's calibrated: docs/explanation/stopping.md.
    """

    amt_section: ClassVar[str] = COMPLETION_CRITERIA
    more_in_tag: ClassVar[bool] = True
    ends_a_standstill: ClassVar[bool] = True
    labels: ClassVar[Mapping[str, str]] = {
        "delta": "stops below",
        "epsilon": "smallest improvement that counts",
        "epsilon_relative": "the same, relative to the best",
        "since_improvement": "training jobs since the last one",
        "expected_residual_improvement": "expected from the rest of the budget",
        "forecast_training_jobs": "training jobs until it is met, if none improves",
        "noise": "noise of the objective",
        "resets_at": "an improvement is",
        "probability_after_improvement": "probability after one",
    }

    epsilon: float = 0.01
    delta: float = 0.05
    cap: float | None = None

    def __post_init__(self) -> None:
        number(self, "epsilon", above=0)
        number(self, "delta", above=0, below=1)
        if self.cap is not None:
            number(self, "cap", above=0)

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if not spec.detect_convergence:
            return None
        return with_tag(cls, spec)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, COMPLETION_CRITERIA)[NAME] = {"CompleteOnConvergence": "Enabled"}
        write_tag(request, self)

    def check(self, history: History) -> Verdict:
        return history.remembered(VERDICT.of(self), lambda: self._judge(history), version=history.ended)

    def _judge(self, history: History) -> Verdict:
        n, rem = len(history.observations()[1]), remaining(history)
        counts = {"finished": history.ended, "remaining": rem, **dict.fromkeys(UNKNOWN_AT_FIRST)}
        if n < LEAST_RESULTS:
            sentence = f"Convergence is judged once there are {LEAST_RESULTS} objectives; so far: {n}."
            change = f"{count_of(LEAST_RESULTS - n, 'more objective')}; failed training jobs don't count."
            return self._continue(sentence, {**counts, "objectives": n, "needed": LEAST_RESULTS}, 0.0, change)
        if rem <= 0:
            sentence = "The budget is used up: no training job is left that could improve the best."
            return self._continue(sentence, counts, 1.0, "A larger budget: `alfine change --max-training-jobs`.")
        evidence, problem = read_evidence(history, rem)
        eps = self.epsilon_of(evidence)
        p = evidence.probability(eps)
        ahead, improved = jobs_until(evidence, eps, self.delta), evidence.improved_by(eps)
        numbers = {
            **counts,
            "probability_of_improvement": p,
            "delta": self.delta,
            "epsilon": eps,
            "epsilon_relative": eps / abs(evidence.best) if eps < abs(evidence.best) else None,
            "expected_residual_improvement": evidence.expected_residual_improvement(),
            "since_improvement": evidence.since(eps),
            "forecast_training_jobs": ahead,
            "noise": evidence.noise,
            "resets_at": history.sign * (evidence.best - eps),
            "probability_after_improvement": improved.probability(self.epsilon_of(improved)),
        }
        change = _would_change(history, numbers)
        if p >= self.delta:
            return self._continue(
                _going_on(numbers) + problem, numbers, history.ended / (history.ended + ahead), change
            )
        sentence = _done(numbers, history.sign * evidence.best, history.spec.max_training_jobs) + problem
        return Verdict(
            outlook=Outlook.STOP,
            criterion=NAME,
            sentence=sentence,
            evidence=numbers,
            progress=1.0,
            would_change=change,
        )

    def ends(self, future: Future) -> Array:
        """Return when p falls below delta: never without evidence, which is before ten objectives."""
        if future.evidence is None:
            return future.never()
        below = future.scores(self.epsilon_of(future.evidence)) < logit(self.delta)
        below[:, -1] = False  # by then the budget is used up
        return future.first(below)

    def epsilon_of(self, evidence: Evidence) -> float:
        """Return eps, in units of the objective."""
        S = evidence.spread  # noqa: N806
        eps = self.epsilon * abs(evidence.best)
        return max(eps if self.cap is None else min(eps, self.cap * S), SPREAD_FLOOR * S, NOISE_SHARE * evidence.noise)

    @staticmethod
    def _continue(sentence: str, evidence: dict[str, Any], progress: float, change: str) -> Verdict:
        return Verdict(
            outlook=Outlook.CONTINUE,
            criterion=NAME,
            sentence=sentence,
            evidence=evidence,
            progress=progress,
            would_change=change,
        )


# -- words -----------------------------------------------------------------------------------------------------------


def _amount(numbers: Mapping[str, Any]) -> str:
    """Write epsilon, as in «0.002 (1 %)»; without the share where the best is near 0."""
    relative = numbers["epsilon_relative"]
    share = "" if relative is None else f" ({percent(relative)})"
    return f"{short(numbers['epsilon'])}{share}"


def _going_on(numbers: Mapping[str, Any]) -> str:
    rem, ahead = numbers["remaining"], numbers["forecast_training_jobs"]
    is_expected = ahead < rem
    when = (
        f"expected at about training job {numbers['finished'] + ahead}"
        if is_expected
        else "not expected within the budget"
    )
    return (
        f"{percent(numbers['probability_of_improvement'])} chance that the remaining {count_of(rem)} improve{'s' if rem == 1 else ''} the best "
        f"by more than {_amount(numbers)}; the job completes below {percent(numbers['delta'])}, {when}."
    )


def _would_change(history: History, numbers: Mapping[str, Any]) -> str:
    rem, ahead, least = numbers["remaining"], numbers["forecast_training_jobs"], percent(numbers["delta"])
    better = (
        f"An objective of {history.spec.or_better(numbers['resets_at'])} is an improvement, after which the chance is about "
        f"{percent(numbers['probability_after_improvement'])}"
    )
    if ahead == 0:
        return f"{better}; a larger budget raises the chance, too."
    if ahead >= rem:
        return f"{better}; without one it stays above {least} until the budget is used up."
    return f"{better}; without one it falls below {least} after about {count_of(ahead, 'more training job')}."


def _done(numbers: Mapping[str, Any], best: float, limit: int | None) -> str:
    rem = numbers["remaining"]
    budget = (
        f"within its budget of {count_of(limit)}" if limit is not None else f"with {count_of(rem, 'more training job')}"
    )
    return (
        f"With probability >= {percent(1 - numbers['delta'])} the best found, {number_text(best)}, is within {_amount(numbers)} of the best "
        f"this job would still reach {budget}."
    )
