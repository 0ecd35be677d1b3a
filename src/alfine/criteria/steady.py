"""Steady: a completion criterion that must be met several times in a row, so that a single lucky time doesn't end the tuning job."""

from __future__ import annotations

from dataclasses import dataclass, replace

from alfine.core.axis import Array
from alfine.core.facts import Ended
from alfine.core.history import History
from alfine.core.memo import MemoKey
from alfine.core.protocols import CompletionCriterion, verdict_of
from alfine.core.verdict import Outlook, Verdict
from alfine.core.wording import count_of
from alfine.criteria.checks import all_criteria, whole_number
from alfine.criteria.future import Future
from alfine.criteria.several_times import AroundAnother

STREAK: MemoKey[tuple[int, int]] = MemoKey(__name__, "streak")  # training jobs that had ended, and the streak then


@dataclass(frozen=True, slots=True)
class Steady(AroundAnother):
    """A criterion that ends the job once it was met after each of the last `times` training jobs that ended.

    Args:
        criterion: The criterion.
        times: How many; a whole number from 1 on.
    """

    criterion: CompletionCriterion
    times: int = 3

    def __post_init__(self) -> None:
        all_criteria("Steady", [self.criterion])
        whole_number(self, "times", least=1)

    def ends(self, future: Future) -> Array:
        """Return when its criterion has been met `times` times; once met it is supposed to stay so."""
        return future.ends(self.criterion) + self.times - 1

    def check(self, history: History) -> Verdict:
        verdict, streak = verdict_of(self.criterion, history), self._streak(history)
        left = max(0, self.times - streak)
        evidence = {**verdict.evidence, "met_in_a_row": streak, "times": self.times, "left_in_a_row": left}
        if verdict.outlook is Outlook.CONTINUE or streak >= self.times:
            return replace(verdict, evidence=evidence)
        return replace(
            verdict,
            outlook=Outlook.CONTINUE,
            sentence=f"Met after {count_of(streak)} in a row; {self.times} needed. {verdict.sentence}",
            evidence=evidence,
            progress=streak / self.times,
            would_change=f"It must be met after {count_of(left, 'more training job')}, too; one after which it isn't restarts the "
            f"count. {verdict.would_change}",
        )

    def _streak(self, history: History) -> int:
        """Return after how many of the latest training jobs in a row it was met: at most `times`."""
        ended, streak = history.recall(STREAK.of(self), (0, 0))
        if history.ended == ended + 1 and isinstance(history.facts[-1], Ended):  # as live: asked after every fact
            met = verdict_of(self.criterion, history).outlook is not Outlook.CONTINUE
            streak = min(self.times, streak + 1) if met else 0
        elif history.ended != ended:
            streak = self._looked_back(history)
        history.remember(STREAK.of(self), (history.ended, streak))
        return streak

    def _looked_back(self, history: History) -> int:
        ends = [count for count, fact in enumerate(history.facts, 1) if isinstance(fact, Ended)][-self.times :]
        for streak, count in enumerate(reversed(ends)):
            if verdict_of(self.criterion, history.upto(count)).outlook is Outlook.CONTINUE:
                return streak
        return len(ends)
