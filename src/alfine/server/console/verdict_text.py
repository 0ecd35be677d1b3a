"""How the console says numbers, instants and evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup, escape

from alfine.core.wording import UNKNOWN, duration, number, percent
from alfine.criteria import always_present, labels

PROBABILITIES = {"delta", "epsilon_relative"}
EXACT = {"best", "best_then", "target", "resets_at"}


def instant(at: datetime | str | None) -> Markup:
    """In the server's time zone; the script writes it in the reader's own."""
    if at is None:
        return escape(UNKNOWN)
    local = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        local.isoformat(timespec="seconds"),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        f"{local.day} {local:%b %H:%M:%S}",
    )


def span(low: float, middle: float, high: float) -> tuple[str, str]:
    """(«12», «7 to 31») of whole numbers; no range where there's no doubt."""
    words = [number(round(each)) for each in (low, middle, high)]
    return words[1], "" if words[0] == words[2] else f"{words[0]} to {words[2]}"


def nearest(verdict: Mapping[str, Any] | None, verdicts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What a job is told by: the verdict that ended it, or of the criteria that go on the nearest to its end; empty before any."""
    verdict = verdict or {}
    if verdict and (verdict["outlook"] != "CONTINUE" or not always_present(verdict["criterion"])):
        return verdict
    speaking = [each for each in verdicts if not always_present(each["criterion"]) and not each.get("watching")]
    return max(speaking, key=lambda each: float(each["progress"]), default={})


def evidence(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The numbers of a verdict, named and in words; those of the criteria inside it are their own."""
    return list(_evidence(verdict.get("evidence") or {}, labels(verdict.get("criterion", ""))))


def _evidence(numbers: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in numbers.items():
        if isinstance(value, list | tuple | dict):
            continue
        label = names.get(name, name.removesuffix("_seconds").replace("_", " "))
        is_time = "elapsed_seconds" in numbers and name in ("limit", "left")
        yield label, _value(f"{name}_seconds" if is_time else name, value)


def _value(name: str, value: Any) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if name.endswith("seconds") or "seconds_" in name:
        return duration(value)
    if name.startswith("probability") or name in PROBABILITIES:
        return percent(value)
    return number(value) if isinstance(value, int) or name in EXACT else number(float(f"{value:.4g}"))


def inside(verdict: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The verdicts of the criteria that one is made of."""
    parts = (verdict.get("evidence") or {}).get("criteria")
    return [each for each in parts if isinstance(each, Mapping)] if isinstance(parts, Sequence) else []


def notes(value: Any) -> Markup:
    """Any plain data as nested lists: what other parts of alfine tell of a job, whatever it is."""
    match value:
        case Mapping():
            rows = (Markup("<dt>{}</dt><dd>{}</dd>").format(_spaced(str(k)), notes(v)) for k, v in value.items())
            return Markup("<dl>{}</dl>").format(Markup("").join(rows))
        case list() | tuple():
            items = Markup("").join(Markup("<li>{}</li>").format(notes(each)) for each in value)
            return Markup("<ul>{}</ul>").format(items) if value else escape(UNKNOWN)
        case bool():
            return Markup("yes") if value else Markup("no")
        case float() | int():
            return escape(number(value))
        case None:
            return escape(UNKNOWN)
        case _:
            return escape(str(value))


def _spaced(name: str) -> str:
    """«BestEstimate» -> «best estimate»."""
    letters = "".join(f" {each.lower()}" if each.isupper() and not name.isupper() else each for each in name)
    return letters.replace("_", " ").strip()
