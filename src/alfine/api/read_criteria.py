"""The completion criteria of a job file: each one by its name, alone, with its first setting, or with all of them."""

from __future__ import annotations

import re
from typing import Any

from alfine.api.read_values import ValueReader, scalar_text, shown
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import unknown
from alfine.core.protocols import CompletionCriterion
from alfine.criteria import criterion_from_text, table


def read_criteria(reader: ValueReader, path: str, value: Any) -> list[CompletionCriterion]:
    """Return the criteria of a list of entries. What can't be read is left out, and a fault of the reader.

    Args:
        reader: Collects the faults.
        path: Where the list stands in the file.
        value: What the file has there: entries such as `ConvergenceDetected`, `{BestObjectiveNotImproving: 10}`,
            `{ConvergenceDetected: {delta: 0.05}}` or `{AllOf: [ConvergenceDetected, {NotBefore: 20}]}`.
    """
    if not isinstance(value, list):
        wanted = "must be a list, such as [ConvergenceDetected, {BestObjectiveNotImproving: 10}]."
        reader.fault(path, f"{shown(value)} {wanted}")
        return []
    criteria = (_criterion(reader, f"{path}[{index}]", entry) for index, entry in enumerate(value))
    return [criterion for criterion in criteria if criterion is not None]


def _criterion(reader: ValueReader, path: str, entry: Any) -> CompletionCriterion | None:
    text = _text(reader, path, entry)
    if text is None:
        return None
    name = re.split(r"[\s:,()]", text.strip(), maxsplit=1)[0]
    if name not in table():
        reader.fault(path, f"{shown(name)} {unknown(name, table())}")
        return None
    try:
        return criterion_from_text(text)
    except InvalidSpec as error:
        reader.faults += [Fault(path, str(fault)) for fault in error.faults]
        return None


def _text(reader: ValueReader, path: str, entry: Any) -> str | None:
    """Return an entry as the text of a criterion, «Steady(ConvergenceDetected, times=3)»; None for what isn't one."""
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict) or len(entry) != 1:
        reader.fault(path, f"{shown(entry)} must be a criterion's name, alone or with its settings.")
        return None
    ((name, settings),) = entry.items()
    if isinstance(settings, list):
        settings = {"criteria": settings}
    if not isinstance(settings, dict):
        return f"{name}" if settings is None else f"{name}({scalar_text(settings)})"
    parts: list[str | None] = []
    for key, setting in settings.items():
        if key in table():  # Shadow: {ConvergenceDetected: {delta: 0.1}}
            parts.append(_text(reader, path, {key: setting}))
        elif key in ("criteria", "criterion"):
            members = setting if isinstance(setting, list) else [setting]
            parts += [_member(reader, path, member) for member in members]
        else:
            parts.append(f"{key}={scalar_text(setting)}")
    return None if None in parts else f"{name}({', '.join(str(part) for part in parts)})"


def _member(reader: ValueReader, path: str, member: Any) -> str | None:
    """Return one of the criteria in a combination; a number among them is a setting, as in `AtLeast: [2, …]`."""
    return scalar_text(member) if isinstance(member, int | float) else _text(reader, path, member)
