"""What the store costs: lists and descriptions in a store of many training jobs, and a training job's CPU time beside Optuna's.

    python bench/scale/store.py pages [--training-jobs 1000000] [--largest 100000] [--store URL]
    python bench/scale/store.py cpu [--training-jobs 1000] [--store URL]

`pages` fills an empty store with rows as if so many training jobs had run: most in tuning jobs of 1,000, and one tuning job of `largest`. Then
it sends requests to the handlers of AWS's API, without HTTP, and prints how long they take. `cpu` tunes a function that returns at once, with
random search, and has Optuna do the same on the same PostgreSQL server: the CPU time of the client's process, and the wall time, which
has the database's. Both write one row of JSON each to bench/scale/data/store.jsonl (with --write), and print a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from one_machine import _cpu_of

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.aws.sagemaker.backend import AwsBackend
from alfine.aws.services import services
from alfine.core.read_spec import read_spec
from alfine.jobs.home import Home
from alfine.store.schema import training_jobs, tuning_jobs

DATA = Path(__file__).parent / "data" / "store.jsonl"
OF_A_TUNING_JOB = 1000
ROWS_AT_ONCE = 5000
CALLS = 200
"""Requests of each kind that are measured, after a tenth as many that aren't."""

SPACE = {"x": Continuous(0, 1), "y": Continuous(0.001, 1, scaling="Logarithmic")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pages", "cpu"])
    parser.add_argument("--training-jobs", type=int)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--store", help="URL of an empty PostgreSQL database; else SQLite")
    parser.add_argument(
        "--filled", action="store_true", help="the store was filled by an earlier run with the same numbers"
    )
    parser.add_argument("--home", help="the folder of the home, which is kept; else one that is removed")
    parser.add_argument("--write", action="store_true", help=f"add what was measured to {DATA.name}")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if words.what == "pages":
            found = pages(
                words.home or folder, words.store, words.training_jobs or 1_000_000, words.largest, filled=words.filled
            )
        else:
            found = cpu(folder, words.store, words.training_jobs or 1000)
    for row in found:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
        if words.write:
            DATA.parent.mkdir(exist_ok=True)
            with DATA.open("a") as file:
                file.write(
                    json.dumps({"at": time.strftime("%F %R", time.gmtime()), "machine": machine(), **row}) + "\n"
                )


def machine() -> str:
    load = f"load {os.getloadavg()[0]:.0f}"
    return f"{os.cpu_count()} cores, {load}, {platform.system()}, Python {platform.python_version()}"


# -- pages -------------------------------------------------------------------------------------------------------------


def pages(folder: str, store: str | None, count: int, largest: int, *, filled: bool) -> Iterator[dict[str, Any]]:
    """Yield, for each kind of request, how long it takes."""
    with Home(folder, store=store) as home:
        began = time.monotonic()
        jobs = names(count, largest) if filled else fill(home, count, largest)
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        kind = "PostgreSQL" if home.store.database.is_postgres else "SQLite"
        for what, operation, request in requests(jobs):
            figures: dict[str, float] = {}
            served = served_by(home)
            before = (lambda: end_one(home)) if "just after" in what else lambda: None
            for clock, times in zip(("wall", "CPU"), timed(home, operation, request, before), strict=True):
                median, late = times[len(times) // 2], times[int(0.95 * len(times))]
                figures |= {f"{clock} median ms": round(1000 * median, 2), f"{clock} p95 ms": round(1000 * late, 2)}
            if home.store.database.is_postgres and "just after" not in what:
                figures["PostgreSQL's CPU mean ms"] = round(1000 * (served_by(home) - served) / (1.1 * CALLS), 2)
            yield {"store": kind, "training jobs": count, "request": what, **figures}


def served_by(home: Home) -> float:
    """Return the CPU seconds that a PostgreSQL server of this machine has used for this database's connections; 0.0 for SQLite."""
    if not home.store.database.is_postgres:
        return 0.0
    with home.store.reading() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        return _cpu_of([int(pid) for pid in connection.exec_driver_sql(query).scalars()])


def requests(jobs: list[str]) -> Iterator[tuple[str, str, Callable[[], dict[str, Any]]]]:
    """Yield (name, operation, what makes a request); jobs: the names of the tuning jobs, the largest first."""
    name = "HyperParameterTuningJobName"
    draw, (largest, *others) = random.Random(1), jobs
    yield "describe a tuning job of 1,000", "DescribeHyperParameterTuningJob", lambda: {name: draw.choice(others)}
    yield "describe the largest tuning job", "DescribeHyperParameterTuningJob", lambda: {name: largest}
    of_job = "ListTrainingJobsForHyperParameterTuningJob"
    yield "describe it just after a training job has ended", "DescribeHyperParameterTuningJob", lambda: {name: largest}
    yield "its first page, the best first", of_job, lambda: {name: largest, "SortBy": "FinalObjectiveMetricValue"}
    yield "its first page by age", of_job, lambda: {name: largest, "SortBy": "CreationTime", "SortOrder": "Descending"}
    yield "its Completed ones", of_job, lambda: {name: largest, "StatusEquals": "Completed"}
    yield (
        "describe a training job",
        "DescribeTrainingJob",
        lambda: {"TrainingJobName": f"{draw.choice(others)}-{draw.randint(1, OF_A_TUNING_JOB):04}"},
    )
    yield "first page of tuning jobs", "ListHyperParameterTuningJobs", dict
    yield "first page of training jobs", "ListTrainingJobs", dict
    yield (
        "those InProgress, by age",
        "ListTrainingJobs",
        lambda: {"StatusEquals": "InProgress", "SortBy": "CreationTime"},
    )


def timed(
    home: Home, operation: str, request: Callable[[], dict[str, Any]], before: Callable[[], None]
) -> tuple[list[float], list[float]]:
    """Return the wall times and the CPU times of this thread, sorted: on a busy machine the second say more, of SQLite's work, too.

    Args:
        home: The home.
        operation: What is asked.
        request: Makes a request.
        before: Called before each request, outside of its time.
    """
    backend = AwsBackend(home.service, home.machine.arns, lambda _: None, lambda: None)
    service = next(each for each in services(backend).values() if each.api.target_prefix == "SageMaker")
    walls, used = [], []
    for _ in range(CALLS + CALLS // 10):
        before()
        body = json.dumps(request()).encode()
        began, begun = time.perf_counter(), time.thread_time()
        status, answer = service.answer(operation, body)
        used.append(time.thread_time() - begun)
        walls.append(time.perf_counter() - began)
        assert status == 200, answer
    return sorted(walls[CALLS // 10 :]), sorted(used[CALLS // 10 :])


def end_one(home: Home) -> None:
    """Record that one more training job of the largest tuning job has been launched and has ended."""
    with home.store.database.writing() as connection:
        facts, last = tuning_jobs.c.facts, sa.func.max(training_jobs.c.number)
        known = connection.scalar(sa.select(facts).where(tuning_jobs.c.id == 1)) or 0
        number = (connection.scalar(sa.select(last).where(training_jobs.c.tuning_job == 1)) or 0) + 1
        first, now = {"created_fact": known + 1, "started_fact": known + 2}, home.clock()
        row = training_job(1, number, now) | first | {"status": "Completed", "ended_at": now, "ended_fact": known + 3}
        connection.execute(sa.insert(training_jobs), [row | {"objective": random.random()}])
        connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == 1).values(facts=known + 3, modified_at=now))


def sizes_of(count: int, largest: int) -> list[int]:
    """Return how many training jobs each tuning job has."""
    first = min(largest, count // 2)
    return [first, *[OF_A_TUNING_JOB] * max(1, (count - first) // OF_A_TUNING_JOB)]


def names(count: int, largest: int) -> list[str]:
    return [f"job-{job:05}" for job in range(1, len(sizes_of(count, largest)) + 1)]


def fill(home: Home, count: int, largest: int) -> list[str]:
    """Write rows as the engine would have; return the names of the tuning jobs, the largest first."""
    jobs, sizes = names(count, largest), sizes_of(count, largest)
    with home.store.database.writing() as connection:
        for job, size in enumerate(sizes, 1):
            now = home.clock() - timedelta(seconds=len(sizes) - job)
            connection.execute(sa.insert(tuning_jobs), [tuning_job(job, size, now)])
            for first in range(1, size + 1, ROWS_AT_ONCE):
                numbers = range(first, min(size, first + ROWS_AT_ONCE - 1) + 1)
                connection.execute(sa.insert(training_jobs), [training_job(job, number, now) for number in numbers])
    with home.store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # as a database does by itself after a while
    return jobs


def tuning_job(job: int, size: int, now: Any) -> dict[str, Any]:
    request = read_spec(
        job_request(name=f"job-{job:05}", space=SPACE, command=["true"], metric="loss", max_training_jobs=size)
    ).request
    row = {"id": job, "name": f"job-{job:05}", "request": json.dumps(request), "facts": 3 * size, "judged": 3 * size}
    return row | {"listed": True, "status": "InProgress", "created_at": now, "modified_at": now}


def training_job(job: int, number: int, now: Any) -> dict[str, Any]:
    runs = number % OF_A_TUNING_JOB == 0
    draw = random.Random(number)
    return {
        "tuning_job": job,
        "number": number,
        "name": f"job-{job:05}-{number:04}",
        "hyperparameters": json.dumps({"x": str(draw.random()), "y": str(draw.random())}),
        "status": "InProgress" if runs else "Completed",
        "created_at": now,
        "created_fact": 3 * number - 2,
        "started_at": now,
        "started_fact": 3 * number - 1,
        "ended_at": None if runs else now,
        "ended_fact": None if runs else 3 * number,
        "objective": None if runs else draw.random(),
        "log_offset": 0,
    }


# -- CPU time ----------------------------------------------------------------------------------------------------------


def cpu(folder: str, store: str | None, count: int) -> Iterator[dict[str, Any]]:
    """Yield what a training job costs alfine with SQLite, and with PostgreSQL alfine and Optuna."""
    contestants = {"alfine, SQLite": ("alfine", "")}
    if store:
        contestants |= {"alfine, PostgreSQL": ("alfine", store), "Optuna, PostgreSQL": ("optuna", store)}
    if store and find_spec("optuna") is None:
        del contestants["Optuna, PostgreSQL"]
    for name, (program, url) in contestants.items():
        command = [
            sys.executable,
            __file__.replace("store.py", "store_contestants.py"),
            program,
            folder,
            url,
            str(count),
        ]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        yield {"engine": name, "training jobs": count, **json.loads(done.stdout.splitlines()[-1])}


if __name__ == "__main__":
    main()
