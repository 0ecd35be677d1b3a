"""Reports of replays, as plain data: how each other criterion, and all of them together, would have judged a recorded job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alfine.core import cost
from alfine.core.errors import AlfineError, Fault, InvalidSpec
from alfine.core.history import History
from alfine.core.replay import Replayed, finished, search_seconds
from alfine.core.verdict import Outlook
from alfine.criteria import criterion_from_text
from alfine.jobs.policy_for import replayed_steps

Plain = dict[str, Any]

Progress = Callable[[int, int], object]
"""Is told how many are done, and of how many."""

MOST_CRITERIA = 8
"""Criteria that a server replays for one request."""

LONGEST_TEXT = 2000
"""Characters of all criteria of one request to a server."""

PATIENCE_SECONDS = 30.0
"""Longest time, in seconds, that a request to a server waits for another one's report."""

_one_at_a_time = threading.BoundedSemaphore(1)  # it judges every fact anew, and takes a whole core


class ReportBusy(AlfineError):
    """Another report takes too long."""

    code = "ServiceUnavailable"


@contextmanager
def report_turn(texts: Sequence[str]) -> Iterator[None]:
    """Wait for this request's turn to ask criteria again and again, as a report does: a server does it for one at a time.

    Args:
        texts: The criteria of the request.

    Raises:
        InvalidSpec: The request asks for too much.
        ReportBusy: Another report takes too long.
    """
    check_size(texts)
    if not _one_at_a_time.acquire(timeout=PATIENCE_SECONDS):
        raise ReportBusy("Other reports are being written. Try again in a while.")
    try:
        yield
    finally:
        _one_at_a_time.release()


def check_size(texts: Sequence[str]) -> None:
    """Check that a request to a server doesn't ask for too much.

    Args:
        texts: Its criteria.

    Raises:
        InvalidSpec: It does.
    """
    if len(texts) > MOST_CRITERIA or sum(map(len, texts)) > LONGEST_TEXT:
        most = f"{len(texts)} criteria; at most {MOST_CRITERIA}, in {LONGEST_TEXT} characters."
        raise InvalidSpec([Fault("criteria", most)])


def replay_report(history: History, texts: Sequence[str], progress: Progress = lambda *_: None) -> Plain:
    """Return the replays of a recorded job, beside what was recorded. Arguments and errors are those of `replay_rows`."""
    return recorded_report(history, replay_rows(history, texts, progress))


def recorded_report(history: History, rows: Sequence[Plain]) -> Plain:
    """Return what was recorded of a job beside the rows of its replays."""
    return {
        "HyperParameterTuningJobName": history.spec.name,
        "Recorded": recorded_row(history),
        "Replays": [*rows],
    }


def recorded_row(history: History) -> Plain:
    """Return what was recorded of a job so far, counted as its replays count: a running training job with its time up to now."""
    best = history.incumbent
    return {
        "TrainingJobs": history.launches,
        "Running": len(history.running),
        "Repeats": history.launches - history.searched,
        "TrainingSeconds": search_seconds(history),
        "MetricName": history.spec.metric,
        "BestObjective": best and best.objective,
        "BestTrainingJob": best and best.number,
    }


def replay_rows(history: History, texts: Sequence[str], progress: Progress = lambda *_: None) -> list[Plain]:
    """Return a row for each replay of a recorded job.

    Args:
        history: The job's.
        texts: The criteria to replay; none stands for the job's own.
        progress: Is told how many facts are judged in all replays, and of how many.

    Raises:
        InvalidSpec: A text isn't a criterion.
    """
    asked, facts = alternatives(texts), len(history.facts)
    rows: list[Plain] = []
    for each in asked:
        rows.append(
            finished(row_steps(history, each), lambda done: progress(facts * len(rows) + done, facts * len(asked)))
        )
    return rows


def alternatives(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what is replayed for these criteria: each of them alone, and several together; for none, the job's own."""
    return [*((text,) for text in texts), *([] if len(texts) == 1 else [tuple(texts)])]


def row_steps(history: History, texts: Sequence[str]) -> Generator[int, None, Plain]:
    """Return the steps of one replay; each yields how many facts of the record are judged, the last one returns the row.

    Args:
        history: The job's.
        texts: The criteria, which judge together; none stands for the job's own.

    Raises:
        InvalidSpec: A text isn't a criterion, or can't be judged in this job.
    """
    steps = replayed_steps(history, [criterion_from_text(text) for text in texts])

    def rows() -> Generator[int, None, Plain]:
        return _row(history, texts, (yield from steps))

    return rows()


def _row(history: History, texts: Sequence[str], replay: Replayed) -> Plain:
    spec, best = history.spec, replay.best
    recorded_cost, replayed_cost = cost.spent_on_search(history), cost.spent_on_search(replay.history)
    saved = cost.cost_of(spec, recorded_cost.compute_seconds - replayed_cost.compute_seconds)
    return {
        "Criteria": [*texts],
        "Ended": replay.verdict.outlook is not Outlook.CONTINUE,
        "Verdict": replay.verdict.as_dict(),
        "TrainingJobs": replay.training_jobs,
        "TrainingSeconds": replay.training_seconds,
        "RuntimeInSeconds": replay.history.elapsed_seconds,
        "SavedTrainingJobs": replay.saved_training_jobs,
        "SavedTrainingSeconds": replay.saved_training_seconds,
        **({} if replayed_cost.money is None else {"Money": replayed_cost.money, "SavedMoney": saved.money}),
        "BestObjective": None if best is None else best.objective,
        "Missed": replay.missed,
    }
