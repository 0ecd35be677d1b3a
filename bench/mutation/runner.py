"""Runs tests for bench/mutation/run.py, inside of its namespace: imports what is slow and never changed once, then forks for each request.

A request is a line of JSON: {"tests": […], "seconds": the limit}. So is the answer: {"outcome": "noticed", "hung" or "survived", "test": …}.
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


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answer(request["tests"], request["seconds"])), file=answers, flush=True)


def answer(tests: list[str], seconds: float) -> dict[str, str]:
    """Run tests in a child until one fails or the time is over; nothing that they started lives on."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            be_tested(tests, output.fileno())
        code = waited(child, seconds)
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208 - names alone
            if pid not in (1, os.getpid(), os.getppid()):
                kill(pid)
        output.seek(0)
        said = [line.strip() for line in output]
    failed = [line.split()[1] for line in said if line.startswith(("FAILED ", "ERROR "))]
    if code is None:
        return {"outcome": "hung", "test": ""}
    return (
        {"outcome": "noticed", "test": failed[0] if failed else (said or [""])[-1]}
        if code
        else {"outcome": "survived", "test": ""}
    )


def be_tested(tests: list[str], output: int) -> None:
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    quiet = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis was imported before
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", "-rfE", *quiet, *tests]))


def waited(child: int, seconds: float) -> int | None:
    """Return the exit status of the child, or None where it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(POLL_SECONDS)
    kill(child)
    os.waitpid(child, 0)
    return None


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
