"""How much a training job on a Ray cluster costs alfine and Ray, and when its first line is seen; beside Ray Tune on the same cluster.

    python bench/scale/on_ray.py [--training-jobs 200] [--parallel 4] [--first-lines 20] [--seconds 1] [--write]

A head and a node on this machine. Engine, store, strategy, bridge, slots and training processes are real; the training is a script that
prints one value. CPU is what the processes used between the first and the last training job: alfine's, its process that talks to Ray, Ray's
own (head, raylets, agents), the slots. With --seconds, trials last as long. Ray Tune (`pip install 'ray[tune]'`) runs as many trials of a function that reports one value.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.jobs.home import Home
from alfine.runners.launch import Launch, Source
from alfine.runners.local_launch import uri_of
from alfine.runners.on_ray.runner import RayRunner

DATA = Path(__file__).parent / "data" / "on_ray.jsonl"

SCRIPT = "import time\nprint('loss=0.5', flush=True)\n"
STAYING = SCRIPT + "time.sleep(0.2)\n"
REGEX = "loss=([0-9.]+)"

TUNE_SECONDS = 240.0
"""How long Ray Tune may take."""

MARK = "ALFINE_BENCH"
"""The variable that all processes of one run of this program have, with the id of its process: others on this machine aren't counted."""

KINDS = {
    "alfine": lambda line: f"{os.getpid()}" == line[0],
    "its process that talks to Ray": lambda line: "on_ray.bridge" in line[1],
    "slots": lambda line: "ray::Slot" in line[1],
    "Ray's own": lambda line: any(word in line[1] for word in ("gcs_server", "raylet", "dashboard", "ray/_private")),
}
"""Processes by their id and command line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--training-jobs", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--first-lines", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.0, help="how long a training job sleeps after its value")
    parser.add_argument("--write", action="store_true", help=f"add what was measured to {DATA.name}")
    arguments = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", MARK: str(os.getpid())}
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=arguments.parallel, object_store_memory=80 << 20)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            home = Path(folder)
            (home / "alfine.toml").write_text(f'[ray]\naddress = "{cluster.address}"\n[run]\nrunner = "ray"\n')
            found = first_lines(home, arguments.first_lines)
            found |= tuning_job(home, arguments.training_jobs, arguments.parallel, arguments.seconds)
        found |= ray_tune(cluster.address, arguments.training_jobs, arguments.parallel, arguments.seconds)
    finally:
        cluster.shutdown()
    if arguments.write:
        row = {"at": time.strftime("%F %R", time.gmtime()), **vars(arguments), **found, "load": os.getloadavg()[0]}
        with DATA.open("a") as file:
            file.write(json.dumps(row) + "\n")


def first_lines(folder: Path, count: int) -> dict[str, float]:
    """Start training jobs one after the other on a slot that is ready, and see when their first value is known to alfine."""
    source = folder / "staying"
    source.mkdir()
    (source / "train.py").write_text(STAYING)
    with Home(folder) as home:
        runner = home.runners["ray"]
        assert isinstance(runner, RayRunner)
        rung = threading.Event()
        runner._news, runner._placed = lambda *_: rung.set(), lambda *_: None  # noqa: SLF001 - nothing is recorded
        launch = Launch(
            tuning_job="first-lines",
            name="",
            source=Source(uri=uri_of(source)),
            script="train.py",
            python=sys.executable,
            metric="loss",
            metrics=(("loss", REGEX),),
        )
        seconds = [first_line(runner, rung, replace(launch, name=f"job-{number}")) for number in range(count + 3)][3:]
    low, middle, high = min(seconds), statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(
        f"first value of a warm training job on a ready slot is known after {1000 * middle:.0f} ms "
        f"(least {1000 * low:.0f}, 95 % {1000 * high:.0f})",
        flush=True,
    )
    return {
        "first value median ms": round(1000 * middle, 1),
        "least": round(1000 * low, 1),
        "p95": round(1000 * high, 1),
    }


def first_line(runner: RayRunner, rung: threading.Event, launch: Launch) -> float:
    """Return the seconds from the start to the first value, and see the training job out."""
    begun, offset, counts, seconds = time.perf_counter(), 0, {}, 0.0
    runner.start(launch)
    while True:
        seen = runner.poll(launch, offset, counts)
        assert seen is not None
        if seen.points and not seconds:
            seconds = time.perf_counter() - begun
        if seen.exit is not None:
            assert seen.exit.succeeded, seen.exit
            return seconds
        counts |= {point.name: point.count for point in seen.points}
        if seen.offset == offset:
            rung.wait(1.0)
            rung.clear()
        offset = seen.offset


def tuning_job(folder: Path, count: int, parallel: int, seconds: float) -> dict[str, float]:
    """Run a tuning job of many short training jobs, after a short one that gets the slots ready."""
    script = folder / "train.py"
    script.write_text(SCRIPT + f"time.sleep({seconds})\n")
    with Home(folder) as home:
        for name, number in (("warm-up", 2 * parallel), ("many", count)):
            limits = {"max_training_jobs": number, "max_parallel": parallel}
            words = {"script": str(script), "metric": "loss", "regex": REGEX, "strategy": "Random", "seed": 1, **limits}
            home.service.create(job_request(name=name, space={"x": Continuous(0, 1)}, **words))
        home.engine().run("warm-up")
        before, begun = used(), time.perf_counter()
        home.engine().run("many")
        wall, after = time.perf_counter() - begun, used()
    print(f"alfine: {count} training jobs, {parallel} at once: {1000 * wall / count:.1f} ms each; CPU a training job:")
    found = {"alfine ms each": round(1000 * wall / count, 1)}
    for kind in KINDS:
        found[f"CPU ms: {kind}"] = round(1000 * (after[kind] - before[kind]) / count, 1)
        print(f"  {kind:30} {found[f'CPU ms: {kind}']:6.1f} ms", flush=True)
    return found


def used() -> dict[str, float]:
    """Return the CPU seconds that the processes of this run have used so far, by kind."""
    found, mark = dict.fromkeys(KINDS, 0.0), f"{MARK}={os.getpid()}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.name != str(os.getpid()) and mark not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                line = (entry.name, (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                ticks = (entry / "stat").read_text().rpartition(")")[2].split()[11:13]
            except OSError:
                continue
            for kind, fits in KINDS.items():
                if fits(line):
                    found[kind] += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
                    break
    return found


TRIALS = """
import sys, time, ray
ray.init(address=sys.argv[1], log_to_driver=False)
from ray import tune
count, parallel, seconds = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
def train(config):
    tune.report({"loss": 0.5})
    time.sleep(seconds)
def fit(count):
    config = tune.TuneConfig(num_samples=count, max_concurrent_trials=parallel, reuse_actors=True)
    space = {"x": tune.uniform(0, 1)}
    return tune.Tuner(tune.with_resources(train, {"cpu": 1}), param_space=space, tune_config=config).fit()
fit(2 * parallel)
begun = time.perf_counter()
fit(count)
print(f"Ray Tune: {count} trials, {parallel} at once: {1000 * (time.perf_counter() - begun) / count:.1f} ms each")
"""


def ray_tune(address: str, count: int, parallel: int, seconds: float) -> dict[str, str]:
    """Run as many trials of Ray Tune."""
    words = [sys.executable, "-c", TRIALS, address, str(count), str(parallel), str(seconds)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TUNE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        line = f"Ray Tune: more than {TUNE_SECONDS:.0f} s for {count} trials"
    else:
        lines = [line for line in done.stdout.splitlines() if line.startswith("Ray Tune:")]
        line = lines[-1] if lines else f"Ray Tune can't run here: {done.stderr.strip().splitlines()[-1]}"
    print(line)
    return {"Ray Tune": line}


if __name__ == "__main__":
    main()
