"""What is lost when the database, or the head of the Ray cluster, is away for a minute.

    python bench/scale/away.py database [--seconds 60]
    python bench/scale/away.py head [--seconds 60]

`database`: two servers share a PostgreSQL and a home, and run four tuning jobs of eight training jobs, two at once; each prints a value a
second. While they run the database is stopped, and started again after a minute. `head`: an engine runs the same on a Ray cluster whose head
(gcs_server) is frozen (SIGSTOP) for a minute. Prints, as a row of a Markdown table, how many training jobs ended as Completed and as
anything else, how many values are recorded of those that were printed, and how many training jobs began twice.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from one_machine import _request
from takeover import start
from tests.postgres import Databases, PostgresServer

from alfine.jobs.engine_pool import EnginePool
from alfine.jobs.home import Home
from alfine.store.schema import metrics, training_jobs

DATA = Path(__file__).parent / "data" / "away.jsonl"
TUNING_JOBS = 4
TRAINING_JOBS = 8
VALUES = 15
"""Values of each training job, one a second."""

BEFORE_SECONDS = 12.0
"""Time between the first training job's start and the fault."""

SCRIPT = f"""
import time, os, sys
open("BEGUN", "a").write(os.environ["TRAINING_JOB_NAME"] + "\\n")
for number in range({VALUES}):
    print(f"loss={{1 / (number + 1)}}", flush=True)
    time.sleep(1)
"""


def create(home: Home, folder: Path) -> Path:
    """Create the tuning jobs; return the file in which each training job writes its name when it begins."""
    begun, script = folder / "begun", folder / "train.py"
    script.write_text(SCRIPT.replace("BEGUN", str(begun)))
    words = {"metric": "loss", "regex": "loss=([0-9.]+)", "script": str(script)}
    for number in range(TUNING_JOBS):
        home.service.create(_request(f"job-{number}", max_training_jobs=TRAINING_JOBS, max_parallel=2, **words))
    return begun


def wait_for(begun: Path) -> None:
    """Wait until training jobs have run for a while."""
    while not begun.exists():
        time.sleep(0.2)
    time.sleep(BEFORE_SECONDS)


def result(home: Home, begun: Path) -> dict[str, Any]:
    """Wait for the end of all tuning jobs, and return what became of them."""
    since = time.monotonic()
    while home.store.unfinished():
        time.sleep(0.5)
    after = time.monotonic() - since
    with home.store.reading() as connection:
        statuses = connection.scalars(sa.select(training_jobs.c.status)).all()
        reasons = connection.scalars(sa.select(training_jobs.c.failure_reason)).all()
        values = connection.scalar(sa.select(sa.func.count()).select_from(metrics)) or 0
    names = begun.read_text().split()
    return {
        "training jobs": TUNING_JOBS * TRAINING_JOBS,
        "Completed": statuses.count("Completed"),
        "others": len(statuses) - statuses.count("Completed"),
        "values printed": VALUES * TUNING_JOBS * TRAINING_JOBS,
        "values recorded": values,
        "begun twice": len(names) - len(set(names)),
        "all ended s after it was back": round(after),
        "reasons": sorted({reason for reason in reasons if reason}),
    }


def database(seconds: float) -> dict[str, Any]:
    """Stop the database for a while."""
    postgres = PostgresServer()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        url = Databases(postgres).new()
        with Home(Path(folder) / "client", store=url) as client:
            begun = create(client, Path(folder))
            servers = [start(Path(folder) / "home", url) for _ in range(2)]
            wait_for(begun)
            postgres.stop()
            time.sleep(seconds)
            postgres.start()
            found = result(client, begun)
        for server in servers:
            server.terminate()
            server.wait()
    postgres.close()
    return found


def head(seconds: float) -> dict[str, Any]:
    """Freeze the cluster's head for a while."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    arguments = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=arguments)
    cluster.add_node(num_cpus=2 * TUNING_JOBS, object_store_memory=80 << 20)
    gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            (Path(folder) / "alfine.toml").write_text(f'[ray]\naddress = "{cluster.address}"\n[run]\nrunner = "ray"\n')
            with Home(folder) as home:
                begun, pool = create(home, Path(folder)), EnginePool(home.engine())
                pool.run_all()
                wait_for(begun)
                os.kill(gcs, signal.SIGSTOP)
                time.sleep(seconds)
                os.kill(gcs, signal.SIGCONT)
                found = result(home, begun)
                pool.leave(10.0)
    finally:
        cluster.shutdown()
    return found


WHAT: dict[str, Callable[[float], dict[str, Any]]] = {"database": database, "head": head}


def main() -> None:
    """Measure, and print the row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(WHAT))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", action="store_true", help=f"add what was measured to {DATA.name}")
    words = parser.parse_args()
    found = {"away": words.what, "seconds": words.seconds, **WHAT[words.what](words.seconds)}
    print(f"| {' | '.join(str(cell) for cell in found.values())} |")
    if words.write:
        with DATA.open("a") as file:
            file.write(json.dumps({"at": time.strftime("%F %R", time.gmtime()), **found}) + "\n")


if __name__ == "__main__":
    main()
