"""The values of a job file's fields: each kind of value has a method that checks it and returns it."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alfine.api.given_values import regexes_of
from alfine.api.local_paths import absolute, absolute_uri, anchored_word
from alfine.core.conditions import Combination, alternatives
from alfine.core.errors import Fault, InvalidSpec
from alfine.core.fields import LEAST_LIKENESS
from alfine.core.settings import Repeats
from alfine.core.spec import EARLY_STOPPING_TYPES, GOALS, IDENTICAL, TRANSFER, strategies
from alfine.core.wording import closest
from alfine.jobs.analysis.results_table import is_results_table

LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""


class ValueReader:
    """Checks values of a job file and collects what is wrong with them.

    Each method takes the place of a value in the file, for the fault, and the value. Whatever is wrong with it, the
    method returns something of the right type, so that reading goes on and every fault is found.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder  # that relative paths are meant from
        self.faults: list[Fault] = []

    def fault(self, path: str, message: str) -> None:
        """Record what is wrong at a place of the file."""
        self.faults.append(Fault(path, message))

    # -- texts and programs ------------------------------------------------------------------------------------------

    def text(self, path: str, value: Any) -> str:
        """Return a text that isn't empty."""
        if not isinstance(value, str) or not value:
            self.fault(path, f"{shown(value)} must be a text.")
        return str(value)

    def file(self, path: str, value: Any) -> str:
        """Return the absolute path of a file or folder; a URI as it is."""
        text = self.text(path, value)
        return text if "://" in text else str(absolute(text, self.folder))

    def interpreter(self, path: str, value: Any) -> str:
        """Return a program: a name on the PATH, or a path. A link isn't resolved: that of a virtual environment must stay."""
        text = self.text(path, value)
        return str(Path(self.folder, Path(text).expanduser())) if "/" in text else text

    def command(self, path: str, value: Any) -> list[str]:
        """Return the words of a command, with absolute paths of files in the folder."""
        if isinstance(value, str):
            try:
                value = shlex.split(value)
            except ValueError as error:
                self.fault(path, f"{shown(value)} can't be split into words: {error}. Write a list instead.")
                return []
        if not isinstance(value, list) or not value or not all(is_scalar(word) for word in value):
            self.fault(path, f"{shown(value)} must be a list of words, such as [julia, train.jl].")
            return []
        return [anchored_word(scalar_text(word), self.folder) for word in value]

    # -- numbers -----------------------------------------------------------------------------------------------------

    def flag(self, path: str, value: Any) -> bool:
        """Return true or false."""
        if not isinstance(value, bool):
            self.fault(path, f"{shown(value)} must be true or false.")
        return bool(value)

    def amount(self, path: str, value: Any) -> float:
        """Return a finite number from 0 on."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            self.fault(path, f"{shown(value)} must be a number from 0 on.")
            return 0.0
        return value

    def positive(self, path: str, value: Any) -> float:
        """Return a finite number above 0."""
        before = len(self.faults)
        number = self.amount(path, value)
        if number == 0 and len(self.faults) == before:
            self.fault(path, f"{shown(value)} must be a number above 0.")
        return number

    def count(self, path: str, value: Any) -> int:
        """Return a whole number from 1 on."""
        return self._whole(path, value, 1)

    def from_zero(self, path: str, value: Any) -> int:
        """Return a whole number from 0 on."""
        return self._whole(path, value, 0)

    def _whole(self, path: str, value: Any, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.fault(path, f"{shown(value)} must be a whole number from {least} on.")
            return least
        return value

    # -- choices -----------------------------------------------------------------------------------------------------

    def choice(self, path: str, value: Any, allowed: Sequence[str]) -> str:
        """Return one of the allowed texts."""
        if value not in allowed:
            near = closest(str(value), allowed, LEAST_LIKENESS)
            hint = f" Did you mean {near}?" if near else ""
            self.fault(path, f"{shown(value)} isn't one of {', '.join(allowed)}.{hint}")
            return allowed[0]
        return str(value)

    def goal(self, path: str, value: Any) -> str:
        """Return Minimize or Maximize."""
        return self.choice(path, value, GOALS)

    def strategy(self, path: str, value: Any) -> str:
        """Return the name of a strategy, built in or of an installed package."""
        return self.choice(path, value, strategies())

    def early_stopping(self, path: str, value: Any) -> str:
        """Return Off or Auto."""
        return self.choice(path, value, EARLY_STOPPING_TYPES)

    def warm_start_type(self, path: str, value: Any) -> str:
        """Return IdenticalDataAndAlgorithm or TransferLearning."""
        return self.choice(path, value, (IDENTICAL, TRANSFER))

    # -- lists and mappings ------------------------------------------------------------------------------------------

    def combinations(self, path: str, value: Any) -> tuple[Combination, ...]:
        """Return combinations of values: one or a list of them, each as keys and values or as a text."""
        try:
            return alternatives(value)
        except InvalidSpec as error:
            self.faults += [Fault(path, fault.message) for fault in error.faults]
            return ()

    def configurations(self, path: str, value: Any) -> list[Any]:
        """Return initial configurations: one or a list of them, each as keys and values or as a text."""
        entries = value if isinstance(value, list) else [value]
        if not entries or not all(isinstance(entry, dict | str) and entry for entry in entries):
            wanted = "must be a configuration such as {eta: 0.3, depth: 6}, or a list of them."
            self.fault(path, f"{shown(value)} {wanted}")
            return []
        return entries

    def repeats(self, path: str, value: Any) -> str | None:
        """Return the repeats as their tag has them, «best=3 times=5»."""
        try:
            return str(Repeats.of(value))
        except InvalidSpec as error:
            self.faults += [Fault(path, fault.message) for fault in error.faults]
            return None

    def parents(self, path: str, value: Any) -> list[str]:
        """Return names of tuning jobs and URIs of tables."""
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            wanted = "must be the name of a tuning job or a table (*.csv), or a list of these."
            self.fault(path, f"{shown(value)} {wanted}")
            return []
        return [
            absolute(name, self.folder).as_uri() if is_results_table(name) and "://" not in name else name
            for name in names
        ]

    def words(self, path: str, value: Any) -> str:
        """Return a word, or the words of a list, as their tag has them: separated by spaces."""
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
            self.fault(path, f"{shown(value)} must be a name, or a list of names.")
            return ""
        return " ".join(words)

    def values(self, path: str, value: Any) -> dict[str, Any]:
        """Return keys with values of any type."""
        if not isinstance(value, dict):
            self.fault(path, f"{shown(value)} must be keys and values.")
            return {}
        for key in value:
            if not is_scalar(key):
                self.fault(path, f"{shown(key)} can't be a key. Use a text.")
        return {str(key): entry for key, entry in value.items()}

    def texts(self, path: str, value: Any) -> dict[str, str]:
        """Return keys with texts; numbers, true and false become texts."""
        entries = self.values(path, value)
        for key, entry in entries.items():
            if not is_scalar(entry):
                self.fault(f"{path}.{key}", f"{shown(entry)} must be a text or a number.")
        return {key: scalar_text(entry) for key, entry in entries.items()}

    def regexes(self, path: str, value: Any) -> dict[str, str]:
        """Return the regular expression of each metric, given as keys and texts or as SageMaker's list of definitions."""
        try:
            return self.texts(path, regexes_of(value))
        except InvalidSpec as error:
            self.faults += [Fault(path, fault.message) for fault in error.faults]
            return {}

    def channels(self, path: str, value: Any) -> dict[str, str]:
        """Return the URI of each channel's data."""
        entries = self.texts(path, value)
        return {name: absolute_uri(uri, self.folder) for name, uri in entries.items()}


def is_scalar(value: Any) -> bool:
    """Return whether a value is a text, a number, true or false."""
    return isinstance(value, str | int | float)


def scalar_text(value: Any) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def shown(value: Any) -> str:
    """Return a value as messages show it: a text in quotes, anything else as JSON, both cut to LONGEST_SHOWN characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
    return repr(text) if isinstance(value, str) else text
