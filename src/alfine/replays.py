"""What other criteria would have made of a recorded job, as plain data: each alone and, when there are several, all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alfine.core import cost
from alfine.core.decide import Outlook
from alfine.core.history import History
from alfine.core.replay import Replayed
from alfine.criteria import criterion_from_text
from alfine.policy import replayed

Plain = dict[str, Any]


def replays(history: History, texts: Sequence[str]) -> list[Plain]:
    """One row a replay; no texts: the job's own criteria. Raise InvalidSpec for a text that can't be understood."""
    return list(_replays(history, texts))


def _replays(history: History, texts: Sequence[str]) -> Iterator[Plain]:
    criteria = [criterion_from_text(text) for text in texts]
    for text, criterion in zip(texts, criteria, strict=True):
        yield _row(history, [text], replayed(history, [criterion]))
    if len(criteria) != 1:
        yield _row(history, [*texts], replayed(history, criteria))


def _row(history: History, texts: Sequence[str], found: Replayed) -> Plain:
    spec, best = history.spec, found.best
    saved = cost.compute_seconds(history) - cost.spent(found.history).compute_seconds
    money = None if spec.price_per_hour is None else saved / cost.HOUR * spec.price_per_hour
    return {
        "Criteria": texts,
        "Ended": found.verdict.outlook is not Outlook.CONTINUE,
        "Verdict": found.verdict.as_dict(),
        "TrainingJobs": found.training_jobs,
        "TrainingSeconds": found.training_seconds,
        "RuntimeInSeconds": found.history.elapsed_seconds,
        "SavedTrainingJobs": found.saved_training_jobs,
        "SavedTrainingSeconds": found.saved_training_seconds,
        **({} if money is None else {"SavedMoney": money}),
        "BestObjective": None if best is None else best.objective,
        "Missed": found.missed,
    }
