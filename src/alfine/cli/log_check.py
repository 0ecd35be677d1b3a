"""Read the metrics of a log with their regexes, and find similar lines for a regex that matches nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from alfine.runners.log_metrics import MetricReader, nearest_lines

LINES_KEPT = 20_000
"""Lines from the end of the log that are searched for similar lines."""


class Match(NamedTuple):
    """A value of a metric, and the line of the log (from 1) that it was read from."""

    number: int
    value: float
    line: str


class MetricReadings:
    """The metric values found in a log, whose lines are given to `add`.

    Args:
        definitions: (metric, regex) pairs; `check_regex` must accept the regexes.
    """

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        self.regexes = dict(definitions)
        self.matches: dict[str, list[Match]] = {name: [] for name in self.regexes}
        self._reader = MetricReader(definitions)
        self._kept: deque[str] = deque(maxlen=LINES_KEPT)
        self._lines = 0

    def add(self, line: str) -> list[Match]:
        """Read one more line, and return its values."""
        self._lines += 1
        self._kept.append(line)
        matches = [(name, Match(self._lines, value, line)) for name, value in self._reader.read(line)]
        for name, match in matches:
            self.matches[name].append(match)
        return [match for _, match in matches]

    def values(self, name: str) -> list[float]:
        """Return all values of a metric."""
        return [match.value for match in self.matches[name]]

    def remarks(self, name: str) -> list[str]:
        """Return what went wrong with a metric: «printed nan 3 times»."""
        return self._reader.remarks(name)

    def nearest(self, name: str) -> list[str]:
        """Return the lines most similar to what a metric's regex looks for; none if the metric has a value."""
        return [] if self.matches[name] else nearest_lines((name, self.regexes[name]), self._kept)

    def as_dict(self, name: str) -> dict[str, Any]:
        """Return what was read for a metric as JSON."""
        return {
            "Name": name,
            "Regex": self.regexes[name],
            "Matches": [{"LineNumber": n, "Value": value, "Line": line} for n, value, line in self.matches[name]],
            "Remarks": self.remarks(name),
            "NearestLines": self.nearest(name),
        }
