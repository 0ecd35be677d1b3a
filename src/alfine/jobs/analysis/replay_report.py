"""What other criteria would have made of a recorded job, as plain data: each alone and, when there are several, all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alfine.core import cost
from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.policy import Outlook
from alfine.core.replay import Replayed
from alfine.criteria import criterion_from_text
from alfine.jobs.policy_for import replayed

Plain = dict[str, Any]

MOST_CRITERIA, LONGEST_TEXT = 8, 2000  # that a server is asked to try at once
PATIENCE_SECONDS = 30.0

_one_at_a_time = threading.BoundedSemaphore(1)  # a replay judges every fact anew, with all of a core


class Busy(AlfineError):
    """Somebody else's replay takes long."""

    code = "ServiceUnavailable"


@contextmanager
def turn(texts: Sequence[str]) -> Iterator[None]:
    """What a server is asked to replay: one at a time, and not everything at once. Raise InvalidSpec or Busy."""
    if len(texts) > MOST_CRITERIA or sum(map(len, texts)) > LONGEST_TEXT:
        most = f"{len(texts)} criteria; at most {MOST_CRITERIA}, in {LONGEST_TEXT} characters."
        raise InvalidSpec([Fault("criteria", most)])
    if not _one_at_a_time.acquire(timeout=PATIENCE_SECONDS):
        raise Busy("Other replays are being worked out. Try again in a while.")
    try:
        yield
    finally:
        _one_at_a_time.release()


def told(history: History, texts: Sequence[str]) -> Plain:
    """The replays, and beside them what was recorded."""
    best = history.incumbent
    return {
        "HyperParameterTuningJobName": history.spec.name,
        "Recorded": {
            "TrainingJobs": history.launches,
            "Repeats": history.launches - history.searched,
            "TrainingSeconds": history.training_seconds,
            "MetricName": history.spec.metric,
            "BestObjective": best and best.objective,
            "BestTrainingJob": best and best.number,
        },
        "Replays": replays(history, texts),
    }


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
    would, saved = cost.spent_on_search(found.history), cost.spent_on_search(history)
    saved = cost.cost_of(spec, saved.compute_seconds - would.compute_seconds)
    return {
        "Criteria": texts,
        "Ended": found.verdict.outlook is not Outlook.CONTINUE,
        "Verdict": found.verdict.as_dict(),
        "TrainingJobs": found.training_jobs,
        "TrainingSeconds": found.training_seconds,
        "RuntimeInSeconds": found.history.elapsed_seconds,
        "SavedTrainingJobs": found.saved_training_jobs,
        "SavedTrainingSeconds": found.saved_training_seconds,
        **({} if would.money is None else {"Money": would.money, "SavedMoney": saved.money}),
        "BestObjective": None if best is None else best.objective,
        "Missed": found.missed,
    }
