"""How long a tuning job stands still when its server is killed or frozen.

    python bench/scale/takeover.py --times 10

Two servers share a PostgreSQL database and a home. Again and again the one that runs ten tuning jobs is killed (kill -9) or frozen
(SIGSTOP); the time is measured until the other server owns all of them. Both find a killed process of their own machine at once. A frozen
one gives no heartbeats, as does one that was killed on another machine. Prints rows of a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.postgres import Databases, PostgresServer

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.jobs.home import Home

TUNING_JOBS = 10
LOOK_SECONDS = 0.02


def start(home: Path, url: str) -> subprocess.Popen[str]:
    """Start a server, and return it once it answers."""
    words = [sys.executable, "-m", "alfine", "serve", "--open", "--port", "0", "--home", str(home)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "ALFINE_STORE": url})
    assert server.stdout is not None
    server.stdout.readline()
    return server


def owners(client: Home) -> set[int]:
    """Return the process ids of the engines that run tuning jobs; -1 where none does."""
    return {int(job.owner.rsplit(":", 3)[1]) if job.owner else -1 for job in client.store.list()}


def wait_for(client: Home, pid: int) -> None:
    """Return once a process owns all tuning jobs."""
    while owners(client) != {pid}:
        time.sleep(LOOK_SECONDS)


def measured(client: Home, home: Path, url: str, number: signal.Signals, times: int) -> list[float]:
    """Return how many seconds each takeover took."""
    runs, seconds = start(home, url), []
    for _ in range(times):
        wait_for(client, runs.pid)
        other = start(home, url)
        begun = time.monotonic()
        runs.send_signal(number)
        wait_for(client, other.pid)
        seconds.append(time.monotonic() - begun)
        runs.kill()
        runs.wait()
        runs = other
    runs.kill()
    runs.wait()
    return seconds


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    postgres = PostgresServer()
    with tempfile.TemporaryDirectory() as folder:
        url = Databases(postgres).new()
        with Home(Path(folder) / "client", store=url) as client:
            for job in range(TUNING_JOBS):
                words = {
                    "metric": "loss",
                    "strategy": "Random",
                    "max_training_jobs": 1,
                    "command": ["sh", "-c", "sleep 100000"],
                }
                client.service.create(job_request(name=f"job-{job}", space={"x": Continuous(0, 1)}, **words))
            print("| the server is … | takeovers | median | longest |\n| --- | ---: | ---: | ---: |")
            for name, number in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)):
                seconds = measured(client, Path(folder) / "home", url, number, times)
                print(f"| {name} | {times} | {statistics.median(seconds):.1f} s | {max(seconds):.1f} s |", flush=True)
            for job in client.store.list():
                client.force_stop(job.name)
    postgres.close()


if __name__ == "__main__":
    main()
