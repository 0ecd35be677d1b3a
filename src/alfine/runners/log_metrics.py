"""Reads metrics in log lines by MetricDefinitions, as SageMaker does.

Each definition's regex is searched for in each line as it is, and in the line with `#011` for each TAB, as Amazon's log pipeline
writes it (XGBoost's published regexes rely on that). The first group is the value. Values that aren't finite numbers are counted but
not recorded. Regexes come from users and could take for ever on some line; the library `regex` can be given a timeout.
"""

from __future__ import annotations

import heapq
import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import regex

from alfine.runners.required_literal import required_literal

MATCH_SECONDS = (0.1, 1.0)
"""Timeouts of the first and the second try at a line: on a busy machine a thread may sleep during the first."""

ODD_VALUES_KEPT = 10
"""Different values of a metric that are kept for its remarks, of those that aren't finite numbers."""

LONGEST_LINE_SHOWN = 200
"""Characters of a line in a message."""

SHAPES_KEPT = 1000
"""Lines that `nearest_lines` remembers for each one that it returns, so that a long log doesn't fill the memory."""

NUMBER = re.compile(r"\d")
WORD = re.compile(r"[A-Za-z]{2,}")


class MetricReader:
    """Reads the metrics of one training job. A regex that takes too long on a line is switched off; `remarks` reports it.

    Args:
        definitions: The name and the regex of each metric. `check_regex` must accept the regexes.

    Example:
        >>> MetricReader([("loss", r"loss=([0-9.]+)")]).read("epoch 3: loss=0.25")
        [('loss', 0.25)]
    """

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        self._definitions = [_Definition(name, _compile(text), required_literal(text)) for name, text in definitions]

    def read(self, line: str) -> list[tuple[str, float]]:
        """Return the name and the value of each metric in a line, in the order of the definitions; at most one for each regex."""
        forms = (line, line.replace("\t", "#011")) if "\t" in line else (line,)
        values = [(definition.name, definition.read(forms)) for definition in self._definitions]
        return [(name, value) for name, value in values if value is not None]

    def remarks(self, name: str) -> list[str]:
        """Return what went wrong with a metric, as parts of a FailureReason: «printed nan 3 times»."""
        return [
            remark for definition in self._definitions if definition.name == name for remark in definition.remarks()
        ]


@dataclass(slots=True)
class _Definition:
    name: str
    pattern: regex.Pattern[str]
    literal: str
    matches: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    too_slow: str = ""

    def read(self, forms: Iterable[str]) -> float | None:
        """Return the value in the first form of the line that matches; None where that isn't a finite number, or none matches."""
        for form in forms:
            if self.literal not in form or self.too_slow:
                continue
            text = self._search(form)
            if text is not None:
                return self._value(text)
        return None

    def _search(self, line: str) -> str | None:
        for seconds in MATCH_SECONDS:
            try:
                match = self.pattern.search(line, timeout=seconds)
            except TimeoutError:
                continue
            return None if match is None else match[1]
        self.too_slow = line
        return None

    def _value(self, text: str) -> float | None:
        self.matches += 1
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        if text in self.odd or len(self.odd) < ODD_VALUES_KEPT:
            self.odd[text] += 1
        return None

    def remarks(self) -> Iterator[str]:
        for text, count in self.odd.items():
            yield f"printed {_shown(text) or 'an empty text'} {count} time{'s' * (count != 1)}"
        if self.too_slow:
            yield (
                f"its regex took longer than {MATCH_SECONDS[-1]:g} s on one line and was switched off; "
                f"avoid nested repeats such as (a+)+. The line: {_shown(self.too_slow)}"
            )


def _shown(line: str) -> str:
    text = line.strip()
    return text if len(text) <= LONGEST_LINE_SHOWN else text[: LONGEST_LINE_SHOWN - 1] + "…"


@lru_cache(maxsize=256)  # each training job of a tuning job has the same ones
def _compile(text: str) -> regex.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a FutureWarning on `[[`, which may mean nested sets in a later version
        return regex.compile(text)


def check_regex(text: str) -> str | None:
    """Return why a text can't be a metric's regex and what to do, or None where it can."""
    try:
        pattern = _compile(text)
    except regex.error as error:
        return f"regex {text!r} doesn't compile: {error}. Put a backslash before brackets, dots and the like that are meant literally."
    if pattern.groups == 0:
        return f"regex {text!r} captures nothing. Put parentheses around the part that matches the number, as in loss=([0-9.]+)."
    return None


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}


def _literal_words(text: str) -> set[str]:
    """Return the words in the literal parts of a regex, optional parts included."""
    plain = re.sub(r"\\[a-zA-Z]|\[[^\]]*\]|\(\?P?<\w+>", " ", text)
    return _words(plain)


# ---- when nothing matched ----------------------------------------------------------------------------------------------


def nearest_lines(definition: tuple[str, str], lines: Iterable[str], k: int = 3) -> list[str]:
    """Return the lines that a regex without any match may have been meant for: lines with a number that share words with it.

    Of lines that differ only in their numbers the last one counts. Where no line shares a word, the last lines with a number are
    returned.

    Args:
        definition: The metric's name and its regex.
        lines: The log; it is read once.
        k: How many lines to return, at most.

    Returns:
        Lines of at most 200 characters, the most similar first.
    """
    name, text = definition
    wanted = _words(name) | _literal_words(text)
    scored: dict[str, tuple[float, int, str]] = {}
    for number, line in enumerate(lines):
        if NUMBER.search(line):
            shape = re.sub(r"[\d.]+", "0", line[:LONGEST_LINE_SHOWN])
            scored[shape] = (_likeness(_words(line[: 4 * LONGEST_LINE_SHOWN]), wanted), number, line)
            if len(scored) > SHAPES_KEPT * k:
                best = heapq.nlargest(k, scored, key=lambda known: scored[known])
                scored = {known: scored[known] for known in best}
    return [_shown(line) for _, _, line in heapq.nlargest(k, scored.values())]


def _likeness(words: set[str], wanted: set[str]) -> float:
    """Return the similarity of two sets of words: 1 for a shared word, 0.5 for a beginning of another («val», «validation»)."""
    exact = words & wanted
    alike = sum(
        any(
            len(mine) > 2 and (mine.startswith(theirs) or theirs.startswith(mine))
            for theirs in words
            if len(theirs) > 2
        )
        for mine in wanted - exact
    )
    return len(exact) + alike / 2
