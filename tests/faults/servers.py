"""`python -m tests.faults.servers --seconds 300 --seed 1`: faults of servers and of their database. See docs/explanation/faults.md.

Three servers share one PostgreSQL database: two have one home, the third has a home of its own. Users create tuning jobs, and stop some.
Each training job writes down that it begins and that it ends. Then nothing may be missing, and nothing be there twice.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.errors import AlfineError, StoreBusy
from alfine.jobs.home import Home
from tests.postgres import Databases, PostgresServer

HOMES = ("shared", "shared", "alone")
TRAIN = """
import os, sys, time
name = os.environ["TRAINING_JOB_NAME"]
def note(word):
    file = os.open(os.environ["DIARY"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{word} {name}\\n".encode())
    os.close(file)
note("begin")
for step in range(3):
    print(f"loss={3 - step}", flush=True)
    time.sleep(float(os.environ["PAUSE"]))
note("end")
"""
MOST_RUNNING = 4
"""Tuning jobs at the same time."""

PAUSES = (0.02, 0.1, 0.5)
"""Seconds between two values of a training job."""

LATE_SECONDS = 180.0
"""Time for tuning jobs to end once nothing is disturbed any more."""

NO_S3 = '[s3]\nendpoint = "http://127.0.0.1:9"\n'
"""Settings of homes that must not have buckets of their own; nobody uses any."""


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a report is printed


class Cluster:
    """A PostgreSQL server, three servers of alfine, and what their training jobs write.

    Args:
        folder: Where everything lies.
        seed: Decides which faults come, and when.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.postgres = PostgresServer()
        self.databases = Databases(self.postgres)
        self.url = self.databases.new()
        self.client = Home(folder / "client", store=self.url)
        self.script, self.diary = folder / "train.py", folder / "diary"
        self.script.write_text(TRAIN)
        self.diary.touch()
        self.servers: list[subprocess.Popen[bytes] | None] = [None] * len(HOMES)
        self.faults: Counter[str] = Counter()
        self.names: list[str] = []
        self.stopped: set[str] = set()
        for home in set(HOMES):
            (folder / home).mkdir(exist_ok=True)
            (folder / home / "alfine.toml").write_text(NO_S3)

    # -- servers, users ------------------------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Start the servers that don't run."""
        for number, server in enumerate(self.servers):
            if server is None or server.poll() is not None:
                words = ["serve", "--open", "--port", "0", "--home", str(self.folder / HOMES[number])]
                with (self.folder / f"server-{number}.log").open("ab") as log:
                    self.servers[number] = subprocess.Popen(
                        [sys.executable, "-m", "alfine", *words],
                        stdout=log,
                        stderr=log,
                        env={**os.environ, "ALFINE_STORE": self.url},
                    )

    def use(self) -> None:
        """Create a tuning job, if few run, or stop one."""
        try:
            running = [name for name in self.names if not self.client.service.get(name).ended]
            if running and self.rng.random() < 0.02:
                name = self.rng.choice(running)
                self.client.service.request_stop(name)
                self.stopped.add(name)
            if len(running) < MOST_RUNNING:
                self._create(f"job-{len(self.names) + 1}")
        except StoreBusy:
            self.faults["requests answered with 503"] += 1
        except AlfineError as error:  # it ended in between
            say(f"a user was told: {error}")

    def _create(self, name: str) -> None:
        words = {"metric": "loss", "strategy": "Random", "max_training_jobs": self.rng.randint(2, 8), "max_parallel": 3}
        variables = {"DIARY": str(self.diary), "PAUSE": str(self.rng.choice(PAUSES))}
        space = {"x": Continuous(0, 1)}
        request = job_request(name=name, space=space, script=self.script, environment=variables, **words)
        self.client.service.create(request)
        self.names.append(name)

    # -- faults --------------------------------------------------------------------------------------------------

    def fault(self) -> None:
        """Inject one fault."""
        kinds = {
            self._kill_server: 8,
            self._leave_server: 2,
            self._freeze_server: 8,
            self._freeze_long: 1,
            self._end_connections: 20,
            self._restart_database: 3,
            self._freeze_database: 8,
        }
        inject = self.rng.choices([*kinds], [*kinds.values()])[0]
        inject()
        self.faults[inject.__name__.strip("_").replace("_", " ")] += 1

    def _any_server(self) -> subprocess.Popen[bytes]:
        self.keep_up()
        return self.rng.choice([server for server in self.servers if server is not None])

    def _kill_server(self) -> None:
        server = self._any_server()
        server.kill()
        server.wait()

    def _leave_server(self) -> None:
        self._any_server().terminate()

    def _freeze_server(self, seconds: float | None = None) -> None:
        server = self._any_server()
        server.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.uniform(0.1, 1.0) if seconds is None else seconds)
        server.send_signal(signal.SIGCONT)

    def _freeze_long(self) -> None:
        """Freeze a server for so long that others take over what it runs."""
        self._freeze_server(10.0)

    def _end_connections(self) -> None:
        with suppress(Exception):  # the database itself is away: another fault
            self.databases._do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def _restart_database(self) -> None:
        self.postgres.stop(self.rng.choice(("immediate", "fast")))
        time.sleep(self.rng.uniform(0.0, 2.0))
        self.postgres.start()

    def _freeze_database(self) -> None:
        lines = (self.postgres.folder / "data" / "postmaster.pid").read_text().splitlines()
        children = subprocess.run(["pgrep", "-P", lines[0]], capture_output=True, text=True, check=False).stdout.split()
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in [lines[0], *children]:
                with suppress(ProcessLookupError):  # a connection that has ended since
                    os.kill(int(pid), number)
            if number == signal.SIGSTOP:
                time.sleep(self.rng.uniform(0.1, 1.0))

    # -- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Wait for all tuning jobs, and return what doesn't hold."""
        late = time.monotonic() + LATE_SECONDS
        while time.monotonic() < late:
            self.keep_up()
            if all(self.client.service.get(name).ended for name in self.names):
                break
            time.sleep(0.5)
        lines = Counter(self.diary.read_text().splitlines())
        wrong = [f"{line}: {count} times" for line, count in lines.items() if count > 1]
        recorded = set()
        for name in self.names:
            job, history = self.client.service.get(name), self.client.service.history(name)
            recorded |= {each.name for each in history.jobs}
            if job.status != "Completed" and not (name in self.stopped and job.status == "Stopped"):
                wrong.append(f"{name} is {job.status}: {job.failure_reason}")
            for each in history.jobs:
                if each.status == "Completed" and not lines[f"end {each.name}"]:
                    wrong.append(f"{each.name} is Completed, but didn't end")
                if each.status == "Completed" and each.curve("loss") != [3.0, 2.0, 1.0]:
                    wrong.append(f"{each.name} has the values {each.curve('loss')}")
                if each.status not in ("Completed", "Stopped"):
                    wrong.append(f"{each.name} is {each.status}: {each.failure_reason}")
        began = {line.partition(" ")[2] for line in lines}
        return wrong + [f"{name} ran, but isn't recorded" for name in sorted(began - recorded)]

    def end(self) -> None:
        """End servers and database."""
        for server in self.servers:
            if server is not None:
                server.send_signal(signal.SIGCONT)
                server.terminate()
                server.wait()
        self.client.close()
        self.postgres.close()


def main() -> int:
    """Inject faults until the time is over; return 1 where something didn't hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.servers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    words = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="alfine-servers-"))
    say(f"seed {words.seed}, {words.seconds:g} s, in {folder}")
    cluster, until = Cluster(folder, words.seed), time.monotonic() + words.seconds
    try:
        cluster.keep_up()
        while time.monotonic() < until:
            cluster.use()
            cluster.fault()
            cluster.keep_up()
            time.sleep(cluster.rng.uniform(0.0, 0.3))
        wrong = cluster.check()
    finally:
        cluster.end()
    for fault, count in sorted(cluster.faults.items()):
        say(f"{count:6d}  {fault}")
    begun = sum(line.startswith("begin") for line in cluster.diary.read_text().splitlines())
    say(f"{len(cluster.names)} tuning jobs, {begun} training jobs began; {len(wrong)} things that don't hold")
    for line in wrong:
        say(f"  {line}")
    if not wrong:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
