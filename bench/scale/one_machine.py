"""What one engine costs on one machine: many tuning jobs at once, many training jobs at once, a very long tuning job.

    python bench/scale/one_machine.py tuning-jobs 1000     # each with one training job that sleeps: CPU while nothing happens
    python bench/scale/one_machine.py training-jobs 1000   # of one tuning job, at once; with --lines 20 each prints a value every 20 s
    python bench/scale/one_machine.py one-tuning-job 100000  # one after the other, 8 at once: CPU a training job, and how it grows

Engine, store and strategy are the real ones. The training jobs of the first two are real processes, the third has a runner that ends each
at once. CPU time is that of alfine's process and, where it says so, of its launcher: the training jobs' own isn't counted. Each prints one
row of a Markdown table.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.jobs.clock import utc_now
from alfine.jobs.engine import Engine
from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.jobs.run import Run
from alfine.jobs.wake import Wake
from alfine.runners.launch import Launch
from alfine.runners.protocol import Exit, LogPiece, Observation, Point
from alfine.store.schema import training_jobs

SPACE = {"x": Continuous(0, 1)}
WATCHED_SECONDS = 20.0
"""Time over which an idle engine is watched."""

CONSTANT_FACTOR = 10
"""The growth is fitted from this share of the training jobs on: before, imports and the first pages of the database count."""


def many_tuning_jobs(home: Home, count: int, lines: int) -> None:
    """Print what an engine with so many tuning jobs costs while none has news; lines: see `_command`."""
    for number in range(count):
        home.service.create(_request(f"job-{number:04}", max_training_jobs=1, command=_command(lines)))
    _watch(home, f"{count:,} tuning jobs with a training job each", count)


def many_training_jobs(home: Home, count: int, lines: int) -> None:
    """Print what an engine with one tuning job of so many training jobs at once costs; lines: see `_command`."""
    limits = {"max_training_jobs": count, "max_parallel": count}
    home.service.create(_request("job", **limits, command=_command(lines)))
    told = f", a value each every {lines} s" if lines else ""
    _watch(home, f"{count:,} training jobs of one tuning job{told}", count)


def _watch(home: Home, what: str, count: int) -> None:
    pool = EnginePool(home.engine())
    begun, used = time.monotonic(), time.process_time()
    pool.run_all()
    while (running := _running(home)) < count:
        time.sleep(2.0)
        print(f"  {running} run", file=sys.stderr)
    seconds, starting = time.monotonic() - begun, time.process_time() - used
    time.sleep(2.0)
    launchers = _launchers()
    before, theirs = time.process_time(), _cpu_of(launchers)
    time.sleep(WATCHED_SECONDS)
    idle = (time.process_time() - before) / WATCHED_SECONDS
    launcher = (_cpu_of(launchers) - theirs) / WATCHED_SECONDS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stop = time.process_time()
    for job in home.store.unfinished():
        home.service.request_stop(job)
    while home.store.unfinished():
        time.sleep(1.0)
    pool.leave(60.0)
    stopping = time.process_time() - stop
    print(
        f"| {what} | {idle:.3f} core | {launcher:.3f} core | {seconds:.0f} s, {1000 * starting / count:.1f} ms CPU each | "
        f"{1000 * stopping / count:.1f} ms CPU each | {memory:.0f} MB |"
    )


def one_tuning_job(home: Home, count: int) -> None:
    """Print the CPU time of a training job in one tuning job of so many, and the exponent by which it grows."""
    home.service.create(_request("job", max_training_jobs=count, max_parallel=8, function="m:f"), lambda _: 0.0)
    wake = Wake()
    engine = Engine(home.store, {"inline": AtOnce(wake)}, wake, home.jobs_folder, functions={"job": lambda _: 0.0})
    marks: list[tuple[int, float]] = []

    def note(run: Run) -> None:
        ended = run.history.ended
        if not marks or ended >= marks[-1][0] + count // 20:
            marks.append((ended, time.process_time()))

    engine.run("job", note)
    marks = [mark for mark in marks if mark[0] >= count / CONSTANT_FACTOR]
    costs = (
        [(begin + end) / 2 for (begin, _), (end, _) in itertools.pairwise(marks)],
        [(after - before) / (end - begin) for (begin, before), (end, after) in itertools.pairwise(marks)],
    )
    exponent = np.polyfit(np.log(costs[0]), np.log(costs[1]), 1)[0]
    first, last = 1000 * costs[1][0], 1000 * costs[1][-1]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"| {count:,} training jobs, one tuning job | {first:.2f} → {last:.2f} ms | exponent {exponent:+.3f} | {memory:.0f} MB |"
    )


class AtOnce:
    """A runner whose training jobs have ended when they are looked at first."""

    tells_news = True

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._started: set[str] = set()

    def start(self, launch: Launch) -> None:
        self._started.add(launch.name)
        self._wake.set(launch.tuning_job, launch.name)

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int]) -> Observation | None:  # noqa: ARG002
        if launch.name not in self._started:
            return None
        self._started.discard(launch.name)
        now = utc_now()
        value = math.fabs(float(launch.hyperparameters["x"]) - 0.3)
        point = Point(name=launch.metric, at=now, value=value, count=1)
        return Observation(started_at=now, ended_at=now, points=(point,), offset=1, exit=Exit(cause="exited", code=0))

    def stop(self, launch: Launch) -> None:
        """Nothing runs for long enough."""

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:  # noqa: ARG002
        """Return nothing: nothing is printed."""
        return LogPiece()

    def close(self) -> None:
        """Nothing is held."""


def _request(name: str, **words: Any) -> dict[str, Any]:
    return job_request(name=name, space=SPACE, strategy="Random", seed=1, **words)


def _command(lines: int) -> list[str]:
    """Return a training job that lasts; lines: seconds between two values that it prints, 0 for none."""
    if not lines:
        return ["/bin/sh", "-c", "exec sleep 3600", "job"]
    return ["/bin/sh", "-c", f"while :; do echo objective: 1; sleep {lines}; done", "job"]


def _running(home: Home) -> int:
    begun = training_jobs.c.started_at.is_not(None) & training_jobs.c.ended_at.is_(None)
    with home.store.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).where(begun)) or 0


def _launchers() -> list[int]:
    """Return the child processes of this one: launchers."""
    mine = str(os.getpid())
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "stat").read_text().rpartition(")")[2].split()[1] == mine:
                    found.append(int(entry.name))
            except OSError:  # it has ended
                continue
    return found


def _cpu_of(processes: list[int]) -> float:
    """Return the CPU seconds of processes, without their children's."""
    ticks = 0
    for pid in processes:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tuning-jobs", "training-jobs", "one-tuning-job"])
    parser.add_argument("count", type=int)
    parser.add_argument(
        "--lines", type=int, default=0, help="seconds between two values that a training job prints; 0: none"
    )
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        if words.what == "one-tuning-job":
            one_tuning_job(home, words.count)
        else:
            begin = many_tuning_jobs if words.what == "tuning-jobs" else many_training_jobs
            begin(home, words.count, words.lines)
        home.close()


if __name__ == "__main__":
    main()
