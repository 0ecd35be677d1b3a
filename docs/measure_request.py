"""Measure the path of one create request through the house: which rooms it enters, and how often it climbs back up.

    python docs/measure_request.py

A CreateHyperParameterTuningJob request goes through the server's application, from the guard to the store and back. A room is entered
when one of its functions is called. A climb is a pair of rooms between which the path returns to a higher floor; each pair counts once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from measure_house import ROOT, House

import alfine
from alfine.api.job_words import job_request
from alfine.cli.console_jobs import ConsoleJobs
from alfine.jobs.home import Home
from alfine.jobs.measures import EngineMeasures
from alfine.server.app import make_app

PACKAGE = Path(alfine.__file__).parent
SPACE = {"x": alfine.Continuous(0, 1), "depth": alfine.Integer(1, 10), "kind": alfine.Categorical(["a", "b"])}
HEADERS = {
    "host": "127.0.0.1:8765",
    "x-amz-target": "SageMaker.CreateHyperParameterTuningJob",
    "content-type": "application/x-amz-json-1.1",
}


class NoEngine:
    """Stands for the pool of engines: the job is created and not run."""

    measures = EngineMeasures()

    def run(self, *_: Any) -> None:
        """Do nothing."""


class Rooms:
    """The rooms that a thread of execution was in, in their order; each entry differs from the one before."""

    def __init__(self) -> None:
        self.rooms: list[str] = []

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in {"call", "return"} or frame.f_code.co_name == "<module>":
            return
        room = _room(frame.f_code)
        if room is not None and event == "return":
            room = _caller(frame)
        if room is not None and (not self.rooms or self.rooms[-1] != room):
            self.rooms.append(room)


def _room(code: CodeType) -> str | None:
    """The room of a function; None for one of another package."""
    file = Path(code.co_filename)
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py") if file.is_relative_to(PACKAGE) else None


def _caller(frame: FrameType) -> str | None:
    """The room of the nearest caller that is alfine's."""
    back = frame.f_back
    while back is not None and _room(back.f_code) is None:
        back = back.f_back
    return None if back is None else _room(back.f_code)


def body(name: str, code: Path) -> bytes:
    """Return a request for a script in `code`, in AWS's words."""
    request = job_request(
        name=name,
        space=SPACE,
        metric="loss",
        script=code / "train.py",
        max_training_jobs=30,
        max_training_job_seconds=600,
        criteria=[alfine.ConvergenceDetected(), alfine.BestObjectiveNotImproving(10)],
    )
    return json.dumps(request).encode()


def send(app: Callable[..., Any], content: bytes) -> int:
    """Send a request to the application. Return the HTTP status."""
    headers = {**HEADERS, "content-length": str(len(content))}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8765),
        "scheme": "http",
        "root_path": "",
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def keep(message: dict[str, Any]) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, keep))
    return int(messages[0]["status"])


def traced(folder: Path) -> tuple[int, list[str]]:
    """Return the status and the rooms of a request, once the same request has been sent before: nothing is imported any more."""
    (folder / "train.py").write_text("print('loss=1')\n")
    visited = Rooms()
    with Home(folder / "home") as home:
        app = make_app(home, NoEngine(), ConsoleJobs(home), is_open=True)  # type: ignore[arg-type]  # of the pool only these are used
        content = body("traced", folder)
        send(app, body("before", folder))
        threading.setprofile(visited.profile)
        sys.setprofile(visited.profile)
        try:
            status = send(app, content)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return status, visited.rooms


def main() -> int:
    floor = House.floors(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        status, rooms = traced(Path(folder))
    if status != 200:
        sys.stderr.write(f"The request was answered with {status}.\n")
        return 1
    entered = list(dict.fromkeys(rooms))
    climbs = {(low, high) for low, high in itertools.pairwise(rooms) if floor[high] > floor[low]}
    sys.stdout.write(f"rooms entered: {len(entered)} ({', '.join(entered)})\n")
    sys.stdout.write(
        f"climbs back up: {len(climbs)} ({', '.join(f'{low} → {high}' for low, high in sorted(climbs))})\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
