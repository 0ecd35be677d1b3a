"""How long a server takes to answer, and to take up its tuning jobs, when its home has many that haven't ended.

    python bench/scale/opening.py [1000 …] [--store URL]

A home gets so many tuning jobs, each with one training job: a process that sleeps. The server is started three times: «new» starts all
training jobs, «killed» (kill -9) and «ended» (SIGTERM) find them again. A client opens the console's list of tuning jobs, again and again,
from the start of the process on. Prints rows of a Markdown table: when the first page came, how long pages took until each tuning job was
taken up, when that was, and the CPU time of the server's process until then.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import sqlalchemy as sa
from one_machine import _cpu_of, _request, _running

from alfine.jobs.home import Home
from alfine.store.schema import tuning_jobs

PAGE = "/console/tuning-jobs"
PAUSE_SECONDS = 0.2
"""Time between two pages."""


def fill(home: Home, count: int) -> None:
    """Create so many tuning jobs."""
    for number in range(count):
        home.service.create(
            _request(f"job-{number:04}", max_training_jobs=1, command=["/bin/sh", "-c", "exec sleep 36000", "job"])
        )


def start(folder: str, store: str | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server; return it and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "alfine", "serve", "--open", "--port", str(port), "--home", folder]
    environment = {**os.environ, **({"ALFINE_STORE": store} if store else {})}
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment), port


def page(port: int, path: str) -> int:
    """Ask for a page, and return its status; 0 where nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
    except ConnectionError:
        return 0
    finally:
        connection.close()
    return answer.status


def opened(home: Home, folder: str, store: str | None, count: int) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server, and return it and what was measured, as cells of a table."""
    begun = time.monotonic()
    server, port = start(folder, store)
    first, seconds = 0.0, []
    while True:
        asked = time.monotonic()
        status = page(port, PAGE)
        if status:
            assert status == 200, status
            first = first or time.monotonic() - begun
            seconds.append(time.monotonic() - asked)
        if owned(home, server.pid) == count and _running(home) == count:
            break
        time.sleep(PAUSE_SECONDS if status else PAUSE_SECONDS / 10)
    all_of_them, used = time.monotonic() - begun, _cpu_of([server.pid])
    seconds.sort()
    late = seconds[int(0.95 * len(seconds))]
    cells = f"{first:.1f} s | {1000 * seconds[len(seconds) // 2]:.0f} / {1000 * late:.0f} / {1000 * seconds[-1]:.0f} ms"
    return server, f"{cells} | {all_of_them:.1f} s | {used:.1f} s"


def owned(home: Home, pid: int) -> int:
    """Return how many tuning jobs a server's engine runs."""
    query = sa.select(sa.func.count()).where(tuning_jobs.c.owner.contains(f":{pid}:"))
    with home.store.reading() as connection:
        return connection.scalar(query) or 0


def measure(count: int, store: str | None) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Home(folder, store=store) as home:
        fill(home, count)
        for name, end in (("new", signal.SIGKILL), ("killed", signal.SIGTERM), ("ended", 0)):
            server, cells = opened(home, folder, store, count)
            load = os.getloadavg()[0]
            print(f"| {count:,}, {name} | {cells} | {load:.1f} |", flush=True)
            if end:
                server.send_signal(end)
                server.wait()
        for job in home.store.unfinished():
            home.service.request_stop(job)
        while home.store.unfinished():
            time.sleep(1.0)
        server.terminate()
        server.wait()


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[1000])
    parser.add_argument("--store", help="URL of an empty PostgreSQL database; else SQLite")
    words = parser.parse_args()
    print("| tuning jobs | first page | pages: median / 95 % / longest | all taken up | CPU | load |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for count in words.counts:
        measure(count, words.store)


if __name__ == "__main__":
    main()
