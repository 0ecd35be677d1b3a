"""A criterion's verdict for people: which verdict stands for a tuning job, and the evidence of one as labelled numbers.

Verdicts arrive here as the mappings that `Verdict.as_dict` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alfine.core.verdict import PARTS
from alfine.core.wording import UNKNOWN, count_of, difference, duration, number, percent, short
from alfine.criteria import always_present, labels

SHARES = frozenset({"delta", "epsilon_relative"})
"""Keys of evidence that hold a share in [0, 1], beside those that begin with «probability»."""

OBJECTIVES = frozenset({"best", "best_then", "target", "resets_at"})
"""Keys of evidence that hold an objective, which is written with more digits than other numbers."""


DIFFERENCES = frozenset({"epsilon", "expected_residual_improvement", "expected_gain", "missing", "noise"})
"""Keys of evidence that hold a difference of objectives: nothing is to be told of one that their digits don't show."""


def nearest(verdict: Mapping[str, Any] | None, verdicts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the verdict that stands for a tuning job.

    Args:
        verdict: The strongest verdict of the job, or None before the first.
        verdicts: The last verdicts of all criteria.

    Returns:
        The verdict that ended the job; of a running job the one with the most progress; an empty mapping before any.
    """
    verdict = verdict or {}
    if verdict and (verdict["outlook"] != "CONTINUE" or not always_present(verdict["criterion"])):
        return verdict
    candidates = [other for other in verdicts if not always_present(other["criterion"]) and not other.get("watching")]
    return max(candidates, key=lambda other: float(other["progress"]), default={})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedEnd:
    """The end of a running job that its forecast expects.

    Attributes:
        criterion: Which will probably end it, with the probability `chance`.
        verdict: That criterion's last.
        when: As the end of a sentence.
    """

    criterion: str
    chance: float
    verdict: Mapping[str, Any]
    when: str


def expected_end(forecast: Mapping[str, Any] | None, verdicts: Sequence[Mapping[str, Any]]) -> ExpectedEnd | None:
    """Return the end that a forecast expects; None where it expects none.

    Args:
        forecast: The forecast of a running job, or None.
        verdicts: The last verdicts of all criteria.
    """
    chances: Mapping[str, float] = (forecast or {}).get("Chances", {})
    by_name = {verdict["criterion"]: verdict for verdict in verdicts if not verdict.get("watching")}
    criterion = max(chances, key=chances.__getitem__, default="")
    if criterion not in by_name:
        return None
    jobs = (forecast or {}).get("TrainingJobs")
    when = ""
    if jobs:
        low, middle, high = (round(jobs[key]) for key in ("Low", "Middle", "High"))
        likely = f" ({number(low)} to {number(high)})" if low != high else ""
        when = f", after {count_of(middle, 'more training job')}{likely}"
    return ExpectedEnd(criterion=criterion, chance=chances[criterion], verdict=by_name[criterion], when=when)


def evidence(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers of a verdict as (label, text) pairs, without those of its parts."""
    names = labels(verdict.get("criterion", ""))
    return list(_labelled(verdict.get("evidence") or {}, names))


def _labelled(numbers: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = [abs(numbers[key]) for key in OBJECTIVES if isinstance(numbers.get(key), int | float)]
    for key, value in numbers.items():
        if isinstance(value, list | tuple | dict):
            continue
        label = names.get(key, key.removesuffix("_seconds").replace("_", " "))
        is_time = "elapsed_seconds" in numbers and key in ("limit", "left")
        if key in DIFFERENCES and isinstance(value, float):
            yield label, difference(value, max(known, default=None))
        else:
            yield label, _text(f"{key}_seconds" if is_time else key, value)


def _text(key: str, value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if key.endswith("seconds") or "seconds_" in key:
        return duration(value)
    if key.startswith("probability") or key in SHARES:
        return percent(value)
    return number(value) if isinstance(value, int) or key in OBJECTIVES else short(value)


def parts(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the verdicts of the criteria that a combination (`AllOf`, `AnyOf`, …) is made of; empty for any other."""
    verdicts = (verdict.get("evidence") or {}).get(PARTS)
    return [part for part in verdicts if isinstance(part, Mapping)] if isinstance(verdicts, Sequence) else []
