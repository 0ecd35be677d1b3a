"""Runs tests for bench/mutation/run.py, inside of its namespace: imports what is slow and never changed once, then forks for each request.

A request is a line of JSON: {"tests": […], "patience": the seconds that each may take}. So is the answer: {"outcome": "noticed", "hung" or
"survived", "test": …}.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time

import alembic.command
import hypothesis
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import sqlalchemy.dialects.sqlite

PRELOADED = (alembic, hypothesis, np, scipy, sqlalchemy)
POLL_SECONDS = 0.05
WORDS = ("FAILED ", "ERROR ")
NOT_FOUND = "ERROR: not found: "
"""What pytest says of a test that isn't there although its module was imported: the map is too old."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answer(request["tests"], request["patience"])), file=answers, flush=True)


def answer(tests: list[str], patience: float) -> dict[str, str]:
    """Run tests in a child until one fails or takes too long; nothing that they started lives on."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as begun:
        child = os.fork()
        if child == 0:
            be_tested(tests, output.fileno(), begun.fileno())
        code = waited(child, begun.fileno(), patience)
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208 - names alone
            if pid not in (1, os.getpid(), os.getppid()):
                kill(pid)
        output.seek(0)
        begun.seek(0)
        said, names = [line.strip() for line in output], begun.read().splitlines()
    if code is None:
        return {"outcome": "hung", "test": names[-1] if names else ""}
    if code == 0:
        return {"outcome": "survived", "test": ""}
    if any(line.startswith(NOT_FOUND) for line in said):
        return {"outcome": "unknown", "test": (said or [""])[-1]}
    failed = [line.removeprefix(word).partition(" - ")[0] for line in said for word in WORDS if line.startswith(word)]
    return {"outcome": "noticed", "test": failed[0] if failed else (said or [""])[-1]}


class Beginnings:
    """Writes the name of each test that begins."""

    def __init__(self, file: int) -> None:
        self._file = file

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        os.write(self._file, f"{nodeid}\n".encode())


def be_tested(tests: list[str], output: int, begun: int) -> None:
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis was imported before
    words = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", "-rfE", *quiet, *tests]
    os._exit(pytest.main(words, plugins=[Beginnings(begun)]))


def waited(child: int, begun: int, patience: float) -> int | None:
    """Return the exit status of the child, or None where no test has begun or ended for too long."""
    seen, end = 0, time.monotonic() + patience
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if (size := os.fstat(begun).st_size) != seen:
            seen, end = size, time.monotonic() + patience
        time.sleep(POLL_SECONDS)
    kill(child)
    os.waitpid(child, 0)
    return None


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
