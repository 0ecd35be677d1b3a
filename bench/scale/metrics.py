"""How much a scrape of /metrics costs a server whose store has many training jobs.

    python bench/scale/metrics.py [--training-jobs 10000] [--scrapes 200] [--store URL]

The tuning jobs have ended but for ten, whose training jobs run on paper only. One client on one connection; the server's CPU time is that
of the process, so it has whatever else the server does meanwhile.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from alfine.jobs.home import Home
from alfine.store.schema import training_jobs, tuning_jobs

OF_A_TUNING_JOB = 500
"""Training jobs of one tuning job."""

ROWS_AT_ONCE = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training-jobs", type=int, default=10_000)
    parser.add_argument("--scrapes", type=int, default=200)
    parser.add_argument("--store", help="URL of an empty PostgreSQL database; else SQLite")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        fill(home, arguments.store, arguments.training_jobs)
        measure(home, arguments.store, arguments.scrapes, arguments.training_jobs)


def fill(folder: str, store: str | None, count: int) -> None:
    """Write rows as if so many training jobs had run."""
    with Home(folder, store=store) as home, home.store.database.writing() as connection:
        now = home.clock()
        jobs = range(1, max(2, count // OF_A_TUNING_JOB) + 1)
        connection.execute(sa.insert(tuning_jobs), [tuning_job(job, now) for job in jobs])
        for first in range(0, count, ROWS_AT_ONCE):
            numbers = range(first, min(count, first + ROWS_AT_ONCE))
            connection.execute(sa.insert(training_jobs), [training_job(number, now) for number in numbers])


def tuning_job(job: int, now: object) -> dict[str, object]:
    ended = {"created_at": now, "modified_at": now, "ended_at": now, "status": "Completed"}
    return {"id": job, "name": f"job-{job}", "request": "{}", "facts": 0, "judged": 0, "listed": True, **ended}


def training_job(number: int, now: object) -> dict[str, object]:
    job, place = number // OF_A_TUNING_JOB + 1, number % OF_A_TUNING_JOB + 1
    running = number < 10
    return {
        "tuning_job": job,
        "number": place,
        "name": f"job-{job}-{place}",
        "hyperparameters": "{}",
        "status": "InProgress" if running else "Completed",
        "created_at": now,
        "created_fact": 2 * place - 1,
        "started_at": now,
        "ended_at": None if running else now,
        "ended_fact": None if running else 2 * place,
        "objective": None if running else 1.0,
        "log_offset": 0,
    }


def measure(home: str, store: str | None, scrapes: int, count: int) -> None:
    words = ["serve", "--port", "0", "--home", home, "--open", *(["--store", store] if store else [])]
    with subprocess.Popen([sys.executable, "-m", "alfine", *words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://(\S+)", server.stdout.readline())
        assert found is not None
        connection = http.client.HTTPConnection(found[1])
        scrape(connection)  # imports prometheus_client
        before, times = cpu_seconds(server.pid), []
        for _ in range(scrapes):
            began = time.perf_counter()
            size = scrape(connection)
            times.append(time.perf_counter() - began)
        cpu = (cpu_seconds(server.pid) - before) / scrapes
        server.terminate()
    times.sort()
    median, late = times[len(times) // 2], times[int(0.95 * len(times))]
    print(
        f"{count:,} training jobs in {'PostgreSQL' if store else 'SQLite'}: a scrape of {size / 1024:.1f} KiB takes {1000 * median:.1f} ms "
        f"(median), {1000 * late:.1f} ms (95th percentile), {1000 * cpu:.1f} ms of the server's CPU time"
    )


def scrape(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    assert b'alfine_training_jobs{status="Completed"}' in text
    return len(text)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
