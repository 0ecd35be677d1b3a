"""The outcome of a training job in one line: «Stopped early: chance of the best 2 %», «Failed: ValueError: depth must be positive».

AMT's status, the reason of a stop and the reason of a failure are three texts that seem to contradict each other side by side. Every
face of alfine shows this line instead, and the whole reason beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from alfine.core.policy import ENDS
from alfine.core.wording import count_of

LAST_LINES = "; last lines of its log: "
"""The text between the way a training job failed and the end of its log (`runners.protocol.Exit.reason`)."""

LONGEST = 160
"""Letters of a cause; a longer line is cut at its end."""

MOST_CAUSES = 8
"""Groups of failures that are shown."""

_ERROR = re.compile(r"[\w.]*(Error|Exception|Exit|Interrupt|Warning)\b|(fatal|error)\b", re.IGNORECASE)
"""The beginning of a line that says by itself what went wrong."""

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
"""Parts that differ between two failures of one cause: sizes, values, addresses."""

_STATUS = {"InProgress": "In progress"}


@dataclass(frozen=True, slots=True)
class StatusWords:
    """The outcome of a training job.

    Attributes:
        label: The outcome in one line.
        detail: The whole reason, where there is more to say.
    """

    label: str
    detail: str = ""

    @property
    def head(self) -> str:
        """The status alone: «Stopped early»."""
        return self.label.partition(": ")[0]

    @property
    def cause(self) -> str:
        """The reason in the label: «chance of the best 2 %»; "" where it has none."""
        return self.label.partition(": ")[2]


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Failures of one cause.

    Attributes:
        cause: The cause in one line, as the latest of them has it.
        count: How many there are.
        training_job: The name of the latest.
    """

    cause: str
    count: int
    training_job: str

    def as_dict(self) -> dict[str, object]:
        """Return the cause as clients see it."""
        return {"Cause": self.cause, "Count": self.count, "TrainingJobName": self.training_job}

    def in_words(self) -> str:
        """Return how many failed, and why: «3 training jobs: MemoryError»."""
        return f"{count_of(self.count)}: {self.cause}"


def status_words(status: str, failure_reason: str | None, stop_reason: str | None) -> StatusWords:
    """Return the outcome of a training job.

    Args:
        status: AMT's status.
        failure_reason: Why it failed, or has no objective; None: neither.
        stop_reason: Why it was asked to stop; None: it wasn't.
    """
    if status == "Failed":
        return StatusWords(f"Failed: {cause_of(failure_reason)}" if failure_reason else status, failure_reason or "")
    if status == "Stopped":
        return _stopped(stop_reason or failure_reason or "")
    if status == "Stopping":
        return StatusWords(status, stop_reason or "")
    if status == "Completed" and failure_reason:
        return StatusWords("Completed without an objective", failure_reason)
    if status == "Completed" and stop_reason:
        return StatusWords(status, f"It ended by itself just before it would have been stopped. {stop_reason}")
    return StatusWords(_STATUS.get(status, status))


def _stopped(reason: str) -> StatusWords:
    if not reason:
        return StatusWords("Stopped")
    first, _, rest = reason.partition(". ")
    label, detail = first.removesuffix("."), reason if rest else ""
    if label.startswith(ENDS):
        return StatusWords("Stopped with the tuning job", reason)
    if label.startswith("The user"):
        return StatusWords("Stopped by the user")
    if not label.startswith("Stopped"):
        label = f"Stopped: {label}"
    return StatusWords(_cut(label), detail)


def cause_of(failure_reason: str) -> str:
    """Return why a training job failed, in one line: the last line of its log.

    A line that doesn't look like an error has the way in which the training job ended before it.

    Args:
        failure_reason: The reason as it was recorded.
    """
    how, joint, log = failure_reason.partition(LAST_LINES)
    how = how.removeprefix("AlgorithmError: ").strip()
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if not joint or not lines:
        return _cut(how.partition("\n")[0])
    last = lines[-1]
    return _cut(last if _ERROR.match(last) else f"{how.removesuffix('.')}, after «{last}»")


def failure_causes(reasons: Iterable[tuple[str, str]]) -> tuple[FailureCause, ...]:
    """Return the causes of failures, the most frequent first. Those that differ in numbers only count as one.

    Args:
        reasons: (name of the training job, reason of its failure), the latest first.
    """
    groups: dict[str, FailureCause] = {}
    for name, reason in reasons:
        cause = cause_of(reason)
        key = _NUMBER.sub("#", cause)
        known = groups.get(key)
        groups[key] = FailureCause(cause, 1, name) if known is None else _one_more(known)
    return tuple(sorted(groups.values(), key=lambda group: -group.count)[:MOST_CAUSES])


def _one_more(known: FailureCause) -> FailureCause:
    return FailureCause(known.cause, known.count + 1, known.training_job)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
