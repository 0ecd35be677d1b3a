"""`python -m tests.faults.on_ray --faults 100 --seed 1`: kills parts of a Ray cluster and of alfine while training jobs run.

Each round starts training jobs that print values, kills one part at random (slots, the process that talks to Ray, the head, a raylet, or
alfine's runner, which is made anew), and sees them out. Counted are training jobs that were lost or ran twice, and values that are missing
or came twice.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.ray_cluster import RayCluster, kill, processes
from tests.runners.test_ray import BRIDGE, RayBench, is_whole

LINES = 20
JOBS = 3
PARTS = ("slots", "bridge", "head", "raylet", "alfine")


def break_part(part: str, bench: RayBench, chance: random.Random) -> None:
    """Kill a part, and start it again where nothing else does."""
    cluster = bench.cluster
    if part == "slots":
        kill(cluster.slots())
    elif part == "bridge":
        kill(processes(BRIDGE))
    elif part == "head":
        cluster.kill_head()
        time.sleep(chance.uniform(0.0, 3.0))
        cluster.start_head()
    elif part == "raylet":
        name = chance.choice(["one", "two"])
        cluster.kill_raylet(name)
        cluster.add(name)
    else:
        bench.runner.close()
        bench.renew()


def run_round(part: str, bench: RayBench, chance: random.Random) -> Counter[str]:
    """Run training jobs through one fault, and count what became of them."""
    launches = [bench.counting(LINES) for _ in range(JOBS)]
    for launch in launches:
        bench.start(launch)
    bench.until_points(launches[0], 1)
    time.sleep(chance.uniform(0.0, 1.0))
    break_part(part, bench, chance)
    found: Counter[str] = Counter()
    for launch in launches:
        last, points = bench.wait(launch)
        found["training jobs"] += 1
        if last.exit is not None and last.exit.cause == "lost":
            found["lost with their node, and begun anew"] += 1
            last, _ = bench.see_out(replace(launch, attempt=2))
        elif not is_whole(points, LINES):
            found["VALUES MISSING OR DOUBLED"] += 1
        elif not bench.ran_once(launch):
            found["RAN TWICE"] += 1
        if last.exit is None or not last.exit.succeeded:
            found["NOT COMPLETED"] += 1
            print(f"{part}: {launch.name}: {last.exit}", flush=True)  # noqa: T201 - a report
    return found


def main() -> int:
    """Inject faults; return 1 where something didn't hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.on_ray", description=__doc__)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    words = parser.parse_args()
    chance, total, faults = random.Random(words.seed), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="alfine-ray-faults-", ignore_cleanup_errors=True) as folder:
        cluster = RayCluster(Path(folder) / "ray")
        bench = RayBench(cluster, Path(folder))
        try:
            for number in range(words.faults):
                part = PARTS[number % len(PARTS)]
                total += run_round(part, bench, chance)
                faults[part] += 1
        finally:
            print(f"seed {words.seed}: killed {dict(faults)}: {dict(total)}", flush=True)  # noqa: T201 - a report
            bench.close()
            cluster.close()
    return 1 if any(name.isupper() for name in total) else 0


if __name__ == "__main__":
    raise SystemExit(main())
