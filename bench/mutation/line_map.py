"""A pytest plugin for bench/mutation/run.py: writes which test runs which lines, and how long each test takes.

Each process that runs tests (a worker of pytest-xdist, or pytest itself) writes a file of its own into the folder `ALFINE_MAP_FOLDER`.
Fixtures count as part of the first test that asks for them. Processes that tests start aren't looked at.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

FOLDER = Path(os.environ["ALFINE_MAP_FOLDER"])
SOURCE = os.environ["ALFINE_MAP_SOURCE"].split(os.pathsep)


class LineMap:
    """Measures the tests of one process."""

    def __init__(self) -> None:
        self._coverage = coverage.Coverage(data_file=None, source=SOURCE, config_file=False, messages=False)
        self._coverage.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.outcome != "passed":  # skipped tests notice nothing
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, dict[int, list[str]]] = {}
        for path in data.measured_files():
            by_line = data.contexts_by_lineno(path)
            lines[path] = {line: [test for test in tests if test in self._kept] for line, tests in by_line.items()}
        seconds = {test: self._seconds[test] for test in self._kept}
        (FOLDER / f"{os.getpid()}.json").write_text(json.dumps((lines, seconds)))

    @property
    def _kept(self) -> set[str]:
        return self._seconds.keys() - self._failed


def pytest_configure(config: pytest.Config) -> None:
    """Measure where tests run: not in the process that hands them to others."""
    if not config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        config.pluginmanager.register(LineMap())
