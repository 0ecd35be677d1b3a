r"""Metrics out of log lines: MetricDefinitions as SageMaker reads them.

Each line is searched (not matched whole) with each definition's regex, raw and, as Amazon's log pipeline writes it, with
every TAB as `#011` (XGBoost's published regexes count on that); the first group is the value. Values that aren't finite
numbers are counted, not kept. Patterns are the users' own, so a match may not take for ever: `regex` can be given a time.
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

__all__ = ["MetricReader", "check_regex", "nearest_lines"]

MATCH_SECONDS = (0.1, 1.0)
"""The first and the second try at one line: on a busy machine a thread may sleep through the first."""
LONGEST_LINE_SHOWN = 200
NUMBER = re.compile(r"\d")
WORD = re.compile(r"[A-Za-z]{2,}")


class MetricReader:
    """Reads the metrics of one training job. definitions: (name, regex) pairs, regexes that `check_regex` accepts.

    A regex that takes too long on a line is switched off for this training job; `remarks` tells.
    """

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        self._definitions = [_Definition(name, _compile(text), required_literal(text)) for name, text in definitions]

    def read(self, line: str) -> list[tuple[str, float]]:
        """The (name, value) pairs in the line, in the order of the definitions; a regex yields at most one."""
        forms = (line, line.replace("\t", "#011")) if "\t" in line else (line,)
        found = []
        for definition in self._definitions:
            value = definition.read(forms)
            if value is not None:
                found.append((definition.name, value))
        return found

    def remarks(self, name: str) -> list[str]:
        """What went wrong with this metric, in sentences for a FailureReason: «printed nan 3 times»."""
        return [remark for each in self._definitions if each.name == name for remark in each.remarks()]


@dataclass(slots=True)
class _Definition:
    name: str
    pattern: regex.Pattern[str]
    literal: str
    matches: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    too_slow: str = ""

    def read(self, forms: Iterable[str]) -> float | None:
        """The value in the first form of the line that matches; None without a finite one."""
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
        if text in self.odd or len(self.odd) < 10:
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
        warnings.simplefilter("ignore")  # a FutureWarning on `[[`: nested sets are not ours to plan for
        return regex.compile(text)


def check_regex(text: str) -> str | None:
    """Why this can't be a metric's regex, with what to do; None when it can."""
    try:
        pattern = _compile(text)
    except regex.error as error:
        return f"regex {text!r} doesn't compile: {error}. Escape brackets, dots and the like that are meant as text."
    if pattern.groups == 0:
        return f"regex {text!r} captures nothing. Put the number's part in parentheses, such as loss=([0-9.]+)."
    return None


def _words(text: str) -> set[str]:
    return {word.lower() for word in WORD.findall(text)}


def _literal_words(text: str) -> set[str]:
    """Words in the regex's literal parts, optional ones too."""
    plain = re.sub(r"\\[a-zA-Z]|\[[^\]]*\]|\(\?P?<\w+>", " ", text)
    return _words(plain)


# ---- when nothing matched ----------------------------------------------------------------------------------------------


def nearest_lines(definition: tuple[str, str], lines: Iterable[str], k: int = 3) -> list[str]:
    """The k lines that look most like what the regex wanted, best first: they hold a number and share words with it.

    Of lines that differ in their numbers only the last is kept. With no shared word at all the last lines with a number
    are given. Goes through `lines` once; long ones are shortened.
    """
    name, text = definition
    wanted = _words(name) | _literal_words(text)
    scored: dict[str, tuple[float, int, str]] = {}
    for number, line in enumerate(lines):
        if NUMBER.search(line):
            shape = re.sub(r"[\d.]+", "0", line[:LONGEST_LINE_SHOWN])
            scored[shape] = (_likeness(_words(line[: 4 * LONGEST_LINE_SHOWN]), wanted), number, line)
            if len(scored) > 1000 * k:  # a log of ever new shapes
                scored = {shape: scored[shape] for shape in heapq.nlargest(k, scored, key=lambda each: scored[each])}
    return [_shown(line) for _, _, line in heapq.nlargest(k, scored.values())]


def _likeness(words: set[str], wanted: set[str]) -> float:
    """Shared words count 1, beginnings of one another («val», «validation») a half."""
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
