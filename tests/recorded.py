"""Tables of recorded results: each case of a module of tests has its results in JSON beside it, one fact a line, so that git
shows what a change means.

A module has `CASES`, functions by name that return what JSON can hold. It says how its file is written anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WIDTH = 130
"""Characters of a line of a recorded file, unless one value takes more."""

DIGITS = 8
"""Significant digits of a recorded float: on another machine the last ones may differ."""


def plain(value: Any) -> Any:
    """Return a result as JSON has it: floats rounded, those that aren't finite as text, arrays and tuples as lists."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset | map):
        return [plain(each) for each in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else str(value)
    return value if isinstance(value, int | str | None) else str(value)


def refused(call: Callable[[], Any]) -> Any:
    """Return the result of a call, or the error that it raises, as text."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is recorded
        return f"{type(error).__name__}: {error}"


def lines(value: Any, indent: int = 0) -> str:
    """Return JSON in which whatever fits on a line stands on one, so that git shows one fact a line."""
    text = json.dumps(value, ensure_ascii=False)
    if indent + len(text) <= WIDTH or not isinstance(value, dict | list):
        return text
    begin, end = "{}" if isinstance(value, dict) else "[]"
    parts = [lines(each, indent + 1) for each in (value.values() if isinstance(value, dict) else value)]
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {part}" for key, part in zip(value, parts, strict=True)]
    pad = "\n" + " " * (indent + 1)
    return f"{begin}{pad}{f',{pad}'.join(parts)}{pad[:-1]}{end}"


def write(file: Path, cases: Mapping[str, Callable[[], Any]]) -> None:
    file.write_text(lines({name: plain(case()) for name, case in cases.items()}) + "\n")


def check(file: Path, name: str, case: Callable[[], Any]) -> None:
    """Assert that a case's result is the recorded one."""
    alike(
        plain(case()),
        json.loads(file.read_text())[name],
        f"{name}: is the change meant? The module says how to record it.",
    )


def alike(now: Any, recorded: Any, where: str) -> None:
    if isinstance(recorded, dict):
        assert list(now) == list(recorded), where
        for key, value in recorded.items():
            alike(now[key], value, f"{where} {key}")
    elif isinstance(recorded, list):
        assert len(now) == len(recorded), where
        for number, value in enumerate(recorded):
            alike(now[number], value, f"{where} {number}")
    else:
        is_float = isinstance(recorded, float)  # of another machine's libm it may differ in the last digits
        assert now == (pytest.approx(recorded, rel=1e-6, abs=1e-9) if is_float else recorded), where
