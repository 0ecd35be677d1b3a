"""Stops of completion criteria, for figures: those that are known without a replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionStop:
    """The place where a completion criterion ends, or would have ended, a tuning job.

    Attributes:
        criterion: The criterion, with its settings.
        after: How many training jobs had ended by then.
        missed: What it misses, as a share of the best objective; None where that isn't known.
    """

    criterion: str
    after: int
    missed: float | None = None


def stops_of_verdicts(
    verdict: Mapping[str, Any], verdicts: Sequence[Mapping[str, Any]], ended: int | None
) -> Iterator[CriterionStop]:
    """Yield the stop of the criterion that ended a tuning job, and those of criteria that only observe it.

    Args:
        verdict: The verdict of the tuning job, as a document.
        verdicts: Those of its criteria.
        ended: How many of its training jobs have ended; None while it runs.
    """
    if ended and verdict.get("outlook") not in (None, "CONTINUE"):
        yield CriterionStop(criterion=str(verdict["criterion"]), after=ended)
    for each in verdicts:
        after = each.get("evidence", {}).get("would_have_ended_after_training_jobs")
        if each.get("watching") and after:
            yield CriterionStop(criterion=str(each["criterion"]), after=int(after))
