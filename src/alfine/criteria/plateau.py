"""BestObjectiveNotImproving: complete after a number of training jobs in a row that haven't improved the best."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from alfine.core.axis import Array
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import TrainingJob
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of, number
from alfine.criteria.amt_fields import COMPLETION_CRITERIA, section
from alfine.criteria.checks import true_or_false, whole_number
from alfine.criteria.future import SIGNIFICANT, Future
from alfine.criteria.tags import with_tag, write_tag

LEAST = 3
"""Training jobs: AMT's minimum."""


State = tuple[float | None, int]
"""The reference, minimised, and how many objectives came after it."""

NOTHING: State = (None, 0)
"""The state before the first objective."""

NOT_IMPROVING: MemoKey[State] = MemoKey(__name__, "not improving")


@dataclass(frozen=True, slots=True)
class BestObjectiveNotImproving:
    """Complete after `max_number_of_training_jobs_not_improving` objectives in a row that don't improve the best.

    Objectives count in order of completion. Training jobs that were stopped early count, failed ones don't (nothing was evaluated).

    Args:
        max_number_of_training_jobs_not_improving: A whole number from 3 on.
        strict: False takes AMT's rule: an improvement counts if it is at least 1 % of the absolute value of the reference, which is
            the objective that last counted as one. At a reference of 0 any improvement counts. True counts every improvement.

    Source: AMT's API reference (BestObjectiveNotImproving); where its two texts disagree, see docs/explanation/stopping.md.
    """

    amt_section: ClassVar[str] = COMPLETION_CRITERIA
    more_in_tag: ClassVar[bool] = True
    ends_a_standstill: ClassVar[bool] = True
    labels: ClassVar[Mapping[str, str]] = {
        "not_improving": "in a row without improvement",
        "resets_at": "an improvement is",
    }

    max_number_of_training_jobs_not_improving: int
    strict: bool = False

    def __post_init__(self) -> None:
        whole_number(self, "max_number_of_training_jobs_not_improving", least=LEAST)
        true_or_false(self, "strict")

    @classmethod
    def from_spec(cls, spec: TuningJobSpec) -> Self | None:
        if spec.max_not_improving is None:
            return None
        return with_tag(cls, spec, str(spec.max_not_improving))

    def check(self, history: History) -> Verdict:
        n = self.max_number_of_training_jobs_not_improving
        reference, count = _state(history, strict=self.strict)
        met = count >= n
        count = min(count, n)  # training jobs that still ran when it was met go on counting
        than = "" if self.strict else " by 1 % or more"
        resets_at = None if reference is None else history.sign * _better_enough(reference, strict=self.strict)
        return Verdict(
            outlook=Outlook.STOP if met else Outlook.CONTINUE,
            criterion="BestObjectiveNotImproving",
            sentence=f"{count} of {n} training jobs in a row without improving the best{than}.",
            evidence={"not_improving": count, "limit": n, "left": max(0, n - count), "resets_at": resets_at},
            progress=count / n,
            would_change=self._would_change(history, n - count, resets_at),
        )

    def _would_change(self, history: History, left: int, resets_at: float | None) -> str:
        if resets_at is None:
            return f"The first objective starts the count; {count_of(left, 'more objective')} without an improvement on it end the job."
        better = f"{'below' if history.sign > 0 else 'above'} {number(resets_at)}"
        enough = f"An objective {better if self.strict else f'of {history.spec.or_better(resets_at)}'}"
        if left <= 0:
            return f"{enough}, of a training job that still runs, would have restarted the count."
        within = "as the next one" if left == 1 else f"within the next {left}"
        return f"{enough} {within} restarts the count; without one the job ends then."

    def ends(self, future: Future) -> Array:
        count = not_improving(future.history, strict=self.strict)
        return future.after_quiet(self.max_number_of_training_jobs_not_improving, count)

    def to_request(self, request: MutableMapping[str, Any]) -> None:
        section(request, COMPLETION_CRITERIA)["BestObjectiveNotImproving"] = {
            "MaxNumberOfTrainingJobsNotImproving": self.max_number_of_training_jobs_not_improving
        }
        write_tag(request, self, leave_out=("max_number_of_training_jobs_not_improving",))


def not_improving(history: History, *, strict: bool = False) -> int:
    """Return how many objectives came after the last one that improved the best: AMT's counter.

    Args:
        history: The tuning job.
        strict: Whether any improvement counts, instead of one by 1 % or more.
    """
    return _state(history, strict=strict)[1]


def _state(history: History, *, strict: bool) -> State:
    sign, least = history.sign, 0.0 if strict else SIGNIFICANT

    def step(state: State, job: TrainingJob) -> State:
        counts = job.objective is not None and job.repeats is None and history.ranks(job)
        return state if not counts or job.objective is None else counted(state, sign * job.objective, least)

    return history.fold(NOT_IMPROVING.of(strict), NOTHING, step)


def _better_enough(reference: float, *, strict: bool) -> float:
    """Return the objective, minimised, that would count as an improvement; with `strict`, anything below it."""
    return reference if strict else reference - SIGNIFICANT * abs(reference)


def counted(state: State, value: float, least: float = SIGNIFICANT) -> State:
    """Return the state after one more objective.

    Args:
        state: The state before.
        value: The objective, minimised.
        least: The share of the reference by which it must be better to count as an improvement.
    """
    reference, count = state
    if reference is None:
        return value, 0
    gain = reference - value
    return (value, 0) if gain > 0 and gain >= least * abs(reference) else (reference, count + 1)
