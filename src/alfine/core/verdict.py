"""Verdicts: what completion criteria answer, and the strongest of several answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Outlook(StrEnum):
    """The request of a verdict, from the weakest to the strongest."""

    CONTINUE = "CONTINUE"
    DRAIN = "DRAIN"  # launch no more; let the running training jobs finish
    STOP = "STOP"  # launch no more; stop the running ones too

    @property
    def rank(self) -> int:
        """0 for the weakest."""
        return _RANKS[self]


PARTS = "criteria"
"""The key in a verdict's evidence, as JSON, for the verdicts of a combination's parts."""

_STATUS_RANKS = {"Completed": 0, "Failed": 1, "Stopped": 2}
_RANKS = {outlook: rank for rank, outlook in enumerate(Outlook)}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """The answer of a completion criterion: an outlook, a sentence for people, and the numbers that the sentence rests on.

    A criterion answers in full while it lets the job continue, too: people read why the job goes on.

    Attributes:
        outlook: What the criterion asks for.
        criterion: The name of the criterion's class.
        sentence: What the criterion found, for people. A limit's sentence becomes the reason why training jobs were stopped.
        evidence: The numbers, as JSON can hold them. The class may name them for people (`CompletionCriterion.labels`).
        status: The status that the tuning job ends with, if it ends by this verdict.
        progress: How near the end is, from 0 (far) to 1 (there).
        would_change: What would change the answer, as a sentence.
        ask_again_at: The instant at which time alone could change the answer; None when only a new fact can.
        watching: Whether the criterion only observes: it never ends the job.
        is_limit: Whether the criterion is a limit (`CompletionCriterion.is_limit`); `verdict_of` sets it.
        parts: The verdicts of the criteria that a combination is made of.
        needed: How many of `parts` must be met; 0 without parts.
    """

    outlook: Outlook
    criterion: str
    sentence: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    status: str = "Completed"
    progress: float = 0.0
    would_change: str = ""
    ask_again_at: datetime | None = None
    watching: bool = False
    is_limit: bool = False
    parts: tuple[Verdict, ...] = ()
    needed: int = 0

    @property
    def met(self) -> bool:
        """True when the criterion ends the tuning: its outlook isn't CONTINUE, and it doesn't only observe."""
        return self.outlook is not Outlook.CONTINUE and not self.watching

    @property
    def strength(self) -> tuple[int, int]:
        """Return a key for comparing verdicts: the outlook, then the user's stop before a failure before what completes the job."""
        return self.outlook.rank, 0 if self.outlook is Outlook.CONTINUE else _STATUS_RANKS[self.status]

    def __repr__(self) -> str:
        return f"<Verdict {self.outlook} of {self.criterion}: {self.sentence}>"

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as the store keeps it and clients see it; the parts stand in the evidence, as `criteria`."""
        parts = {PARTS: [part.as_dict() for part in self.parts]} if self.parts else {}
        flags = {"watching": self.watching, "is_limit": self.is_limit}
        return {
            "outlook": str(self.outlook),
            "criterion": self.criterion,
            "sentence": self.sentence,
            "evidence": {**self.evidence, **parts},
            "status": self.status,
            "progress": self.progress,
            "would_change": self.would_change,
            **{name: True for name, flag in flags.items() if flag},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `as_dict` wrote, in this version or an earlier one.

        Args:
            values: The dictionary.
        """
        evidence: dict[str, Any] = dict(values["evidence"])
        parts: tuple[Verdict, ...] = ()
        if _are_verdicts(evidence.get(PARTS)):
            parts = tuple(cls.from_dict(part) for part in evidence.pop(PARTS))
        return cls(
            **{
                **values,
                "outlook": Outlook(values["outlook"]),
                "evidence": evidence,
                "parts": parts,
                "needed": evidence.get("needed", 0) if parts else 0,
            }
        )


def _are_verdicts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, Mapping) and "outlook" in each for each in values)


UNDECIDED = Verdict(outlook=Outlook.CONTINUE, criterion="None", sentence="No completion criterion is set.")
"""The verdict of a job without criteria."""


FOREVER_SECONDS = 1e9
"""Seconds, some 32 years: a time that no tuning job waits for. Python's instants end in the year 9999."""


def in_seconds(now: datetime, seconds: float) -> datetime:
    """Return the first instant after `now` by which this many seconds have passed, in whole microseconds: for `ask_again_at`.

    Args:
        now: The instant.
        seconds: The seconds, above 0; at most FOREVER_SECONDS count.
    """
    return now + timedelta(microseconds=max(1, math.ceil(min(seconds, FOREVER_SECONDS) * 1e6)))


def strongest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strongest verdict; among CONTINUEs the one with the most progress; on a tie the first. UNDECIDED if there is none.

    Args:
        verdicts: One verdict for each criterion, in the order of the criteria.
    """
    best: Verdict | None = None
    for verdict in verdicts:
        if best is None or (verdict.strength, _nearness(verdict)) > (best.strength, _nearness(best)):
            best = verdict
    return best or UNDECIDED


def as_it_ended(verdict: Verdict | None, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return each criterion's last verdict, but the one that ended the job as it was when it did.

    Criteria are judged until the last training job has ended. By then a criterion may no longer be met that ended the job.

    Args:
        verdict: The verdict that ended the job; None, or a CONTINUE, while it goes on.
        verdicts: Each criterion's last verdict.
    """
    if verdict is None or verdict.outlook is Outlook.CONTINUE:
        return tuple(verdicts)
    same = [last for last in verdicts if last.criterion == verdict.criterion]
    is_weaker = len(same) == 1 and same[0].strength < verdict.strength
    return tuple(verdict if is_weaker and last is same[0] else last for last in verdicts)


def _nearness(verdict: Verdict) -> float:
    return verdict.progress if verdict.outlook is Outlook.CONTINUE and not verdict.watching else 0.0
