"""What one engine costs with thousands of training jobs on the nodes of a Ray cluster that is simulated.

    python bench/scale/simulated.py 2000                            # at once, silent
    python bench/scale/simulated.py 2000 --value 20                 # each prints a value of the objective every 20 s
    python bench/scale/simulated.py 1000 --value 20 --lines 1000    # and 1,000 lines a second besides
    python bench/scale/simulated.py 2000 --short                    # each ends with its first value, four at once: CPU of each

Engine, store, strategy, RayRunner and its child process, the bridge, are the real ones. Ray and the training jobs are simulated, in the
bridge: a slot is an object that answers as the actor on a node would, whose host has read the log there. So the engine's CPU time is exact,
and the bridge's contains the simulation, but not Ray's own calls (bench/scale/on_ray.py has those). Prints a row of a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from one_machine import _cpu_of, _launchers, _request, _running

from alfine._version import __version__
from alfine.core.read_spec import read_spec
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.runners.launch import Launch
from alfine.runners.on_ray import bridge, connection
from alfine.runners.on_ray.calls import ClusterNode
from alfine.runners.on_ray.slot import SlotFacts
from alfine.runners.protocol import Exit, Observation, Point

DATA = Path(__file__).parent / "data" / "simulated.jsonl"
SLOTS_OF_A_NODE = 8
LINE_BYTES = 60
WATCHED_SECONDS = 40.0
"""Time over which a running engine is watched."""

TALKS = "ALFINE_SIMULATED"
"""The environment variable that says how much training jobs say: seconds between two values, lines a second."""


# -- in the bridge -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a simulated actor, which is called as Ray's are."""

    function: Any

    def remote(self, *arguments: Any, **words: Any) -> Any:
        """Return a coroutine: what `Cluster.call` waits for."""
        return self.function(*arguments, **words)


class Actor:
    """A slot: as alfine.runners.on_ray.slot, with a training job that is simulated."""

    def __init__(self, number: int) -> None:
        self._number = number
        value, lines, short = os.environ[TALKS].split()
        self._value, self._lines, self._short = float(value), float(lines), short == "True"
        self._began: datetime | None = None
        self._begun = 0.0
        self._stopped = asyncio.Event()
        for name in ("facts", "begin", "stop", "news", "leave", "vacancy"):
            setattr(self, name, Method(getattr(self, f"_{name}")))

    async def _facts(self) -> SlotFacts:
        node = f"node-{self._number // SLOTS_OF_A_NODE}"
        return SlotFacts(
            alfine=__version__,
            python=platform.python_version(),
            host=node,
            address="",
            interface="",
            machine=node,
            ray_node=node,
            gpus="",
        )

    async def _begin(self, launch: Launch, offset: int, counts: Mapping[str, int], wait: float) -> Observation | None:
        self._begun, self._began = time.monotonic(), datetime.now(UTC)
        self._stopped.clear()
        return await self._news(launch, offset, counts, wait, has_begun=False)

    async def _stop(self, launch: Launch) -> None:  # noqa: ARG002 - as the real one
        self._stopped.set()

    async def _leave(self) -> bool:
        return True

    async def _vacancy(self) -> None:
        return None

    async def _news(
        self, launch: Launch, offset: int, counts: Mapping[str, int], wait: float, *, has_begun: bool
    ) -> Observation | None:
        if self._began is None:
            return None
        count, now = counts.get(launch.metric, 0), datetime.now(UTC)
        if self._short:
            point = Point(name=launch.metric, at=now, value=1.0, count=1)
            end = Exit(cause="exited", code=0)
            return Observation(started_at=self._began, ended_at=now, points=(point,), offset=LINE_BYTES, exit=end)
        if has_begun and not self._stopped.is_set():
            due = self._begun + (count + 1) * self._value - time.monotonic() if self._value else wait
            with suppress(TimeoutError):  # there is a value, or nothing to tell
                await asyncio.wait_for(self._stopped.wait(), max(0.0, min(wait, due)))
        seconds = time.monotonic() - self._begun
        points = []
        if has_begun and self._value and seconds >= (count + 1) * self._value:
            points = [Point(name=launch.metric, at=datetime.now(UTC), value=1.0 / (count + 1), count=count + 1)]
        offset = max(offset + LINE_BYTES * len(points), int(self._lines * seconds) * LINE_BYTES)
        over = {"exit": Exit(cause="stopped"), "ended_at": datetime.now(UTC)} if self._stopped.is_set() else {}
        return Observation(started_at=self._began, points=tuple(points), offset=offset, **over)


class SimulatedCluster:
    """Stands in for `alfine.runners.on_ray.cluster.Cluster`: all that the bridge calls of it."""

    def __init__(self, settings: object) -> None:  # noqa: ARG002 - as the real one
        self._actors: dict[str, Actor] = {}
        self._numbers = itertools.count()

    def connect(self) -> None:
        """Nothing is to be connected."""

    async def nodes(self) -> list[ClusterNode]:
        return []

    def slot_name(self) -> str:
        return f"slot-{next(self._numbers)}"

    async def create(self, name: str, shape: object, **_: Any) -> Actor:  # noqa: ARG002 - as the real one
        return self._actors.setdefault(name, Actor(len(self._actors)))

    async def find(self, name: str) -> Actor:
        return self._actors[name]

    async def facts(self, actor: Any, seconds: float | None) -> SlotFacts:  # noqa: ARG002 - as the real one
        facts: SlotFacts = await actor.facts.remote()
        return facts

    async def call(self, reference: Any, seconds: float | None = None) -> Any:  # noqa: ARG002 - as the real one
        return await reference

    async def dismiss(self, actor: object) -> None:
        """A slot that nobody needs costs nothing here."""

    kill = dismiss

    async def take_back(self, name: str) -> None:
        """As above."""

    async def remove_abandoned_groups(self) -> None:
        """There are none."""

    async def abandoned(self, known: object) -> list[Any]:  # noqa: ARG002 - as the real one
        return []


# -- in alfine's process -----------------------------------------------------------------------------------------------


def measure(home: Home, count: int, value: float, lines: int) -> dict[str, Any]:
    """Return what an engine costs that runs so many training jobs of one tuning job."""
    request = _request("job", max_training_jobs=count, max_parallel=count, command=["true"], **METRIC)
    home.store.create(read_spec(request), home.clock())  # without the service's look at the cluster
    pool = EnginePool(home.engine())
    begun, used = time.monotonic(), time.process_time()
    pool.run_all()
    while _running(home) < count:
        time.sleep(1.0)
    seconds, starting = time.monotonic() - begun, time.process_time() - used
    time.sleep(5.0)
    before, theirs = time.process_time(), _cpu_of(_launchers())
    time.sleep(WATCHED_SECONDS)
    found = {
        "training jobs": count,
        "seconds between two values of each": value or None,
        "lines a second of each": lines,
        "engine, core": round((time.process_time() - before) / WATCHED_SECONDS, 3),
        "bridge with the simulation, core": round((_cpu_of(_launchers()) - theirs) / WATCHED_SECONDS, 3),
        "start, engine CPU ms each": round(1000 * starting / count, 1),
        "all run after s": round(seconds, 1),
    }
    stop = time.process_time()
    home.service.request_stop("job")
    while home.store.unfinished():
        time.sleep(1.0)
    pool.leave(60.0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {
        "stop, engine CPU ms each": round(1000 * (time.process_time() - stop) / count, 1),
        "MB": round(memory),
        "load": round(os.getloadavg()[0], 1),
    }


def measure_short(home: Home, count: int) -> dict[str, Any]:
    """Return what a training job costs the engine and the bridge that ends with its first value."""
    for name, number in (("warm-up", 20), ("job", count)):
        request = _request(name, max_training_jobs=number, max_parallel=4, command=["true"], **METRIC)
        home.store.create(read_spec(request), home.clock())
    home.engine().run("warm-up")
    before, theirs, begun = time.process_time(), _cpu_of(_launchers()), time.monotonic()
    home.engine().run("job")
    return {
        "short training jobs": count,
        "engine, CPU ms each": round(1000 * (time.process_time() - before) / count, 2),
        "bridge with the simulation, CPU ms each": round(1000 * (_cpu_of(_launchers()) - theirs) / count, 2),
        "wall ms each": round(1000 * (time.monotonic() - begun) / count, 1),
        "load": round(os.getloadavg()[0], 1),
    }


METRIC = {"metric": "loss", "regex": "loss=([0-9.]+)"}


def main() -> None:
    """Measure, and print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument(
        "--value", type=float, default=0.0, help="seconds between two values of a training job; 0: none"
    )
    parser.add_argument("--lines", type=int, default=0, help="lines without a value that each prints in a second")
    parser.add_argument("--short", action="store_true", help="each training job ends with its first value")
    parser.add_argument("--store", help="URL of an empty PostgreSQL database; else SQLite")
    parser.add_argument("--write", action="store_true", help=f"add what was measured to {DATA.name}")
    words = parser.parse_args()
    os.environ[TALKS] = f"{words.value} {words.lines} {words.short}"
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    connection.BRIDGE = "simulated"  # this file, in the child process
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (Path(folder) / "alfine.toml").write_text('[ray]\naddress = "simulated"\n[run]\nrunner = "ray"\n')
        with Home(folder, store=words.store) as home:
            kind = "PostgreSQL" if home.store.is_shared else "SQLite"
            found = (
                measure_short(home, words.count)
                if words.short
                else measure(home, words.count, words.value, words.lines)
            )
            found = {"store": kind, **found}
    print(f"| {' | '.join(str(cell) for cell in found.values())} |")
    if words.write:
        with DATA.open("a") as file:
            file.write(json.dumps({"at": time.strftime("%F %R", time.gmtime()), **found}) + "\n")


if __name__ == "__main__":
    if os.environ.get(TALKS) and len(sys.argv) == 2 and sys.argv[1].isdigit():  # the bridge
        bridge.Cluster = SimulatedCluster  # type: ignore[assignment,misc]
        bridge.main()
    main()
