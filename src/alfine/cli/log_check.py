"""What metrics' regexes read from one log, line by line, with what to show where they read nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from alfine.runners.log_metrics import MetricReader, nearest_lines

LINES_KEPT = 20_000  # of the log's end, to find the nearest lines where nothing matched


class Match(NamedTuple):
    """A value, and the line of the log that it was read from; lines count from 1."""

    number: int
    value: float
    line: str


class Readings:
    """Give it the lines of a log with `add`. definitions: (name, regex) pairs, regexes that `check_regex` accepts."""

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        self.regexes = dict(definitions)
        self.matches: dict[str, list[Match]] = {name: [] for name in self.regexes}
        self._reader = MetricReader(definitions)
        self._kept: deque[str] = deque(maxlen=LINES_KEPT)
        self._lines = 0

    def add(self, line: str) -> list[Match]:
        """The values in one more line."""
        self._lines += 1
        self._kept.append(line)
        found = [(name, Match(self._lines, value, line)) for name, value in self._reader.read(line)]
        for name, match in found:
            self.matches[name].append(match)
        return [match for _, match in found]

    def values(self, name: str) -> list[float]:
        return [match.value for match in self.matches[name]]

    def remarks(self, name: str) -> list[str]:
        """What went wrong with a metric: «printed nan 3 times»."""
        return self._reader.remarks(name)

    def nearest(self, name: str) -> list[str]:
        """For a metric without a value: the lines that look most like what its regex wanted."""
        return [] if self.matches[name] else nearest_lines((name, self.regexes[name]), self._kept)

    def as_dict(self, name: str) -> dict[str, Any]:
        return {
            "Name": name,
            "Regex": self.regexes[name],
            "Matches": [{"LineNumber": n, "Value": value, "Line": line} for n, value, line in self.matches[name]],
            "Remarks": self.remarks(name),
            "NearestLines": self.nearest(name),
        }
