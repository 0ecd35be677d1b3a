"""Tables of recorded results: each case of a module of tests is a line of JSON beside it, so that git shows what a change means.

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

DIGITS = 10
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


def write(file: Path, cases: Mapping[str, Callable[[], Any]]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(plain(case()), ensure_ascii=False)}" for name, case in cases.items()]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def check(file: Path, name: str, case: Callable[[], Any]) -> None:
    """Assert that a case's result is the recorded one."""
    alike(
        plain(case()),
        json.loads(file.read_text())[name],
        f"{name}: is the change meant? The module says how to record it.",
    )


def alike(now: Any, recorded: Any, where: str) -> None:
    if isinstance(recorded, dict):
        assert now.keys() == recorded.keys(), where
        for key, value in recorded.items():
            alike(now[key], value, f"{where} {key}")
    elif isinstance(recorded, list):
        assert len(now) == len(recorded), where
        for number, value in enumerate(recorded):
            alike(now[number], value, f"{where} {number}")
    else:
        is_float = isinstance(recorded, float)  # of another machine's libm it may differ in the last digits
        assert now == (pytest.approx(recorded, rel=1e-6, abs=1e-9) if is_float else recorded), where
