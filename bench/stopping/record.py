"""Records searches for developing and judging stopping rules.

    python bench/stopping/record.py OUT [--tasks NAME …] [--samplers NAME …] [--seeds 0 4] [--parallel 4] [--noise]

One JSON a line: what was searched by what, and for each training job in order of completion [configuration, value, truth, seconds];
values are minimised, `truth` is the value without noise. Tasks and searches are those of bench/search.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "search"))
from contestants import CONTESTANTS
from tasks import DEVELOPMENT, HELD_OUT, task

JOBS = 200


def recorded(contestant: str, subject, seed: int, jobs: int = JOBS, parallel: int = 1) -> dict:
    """One search, asynchronous where several training jobs run at once."""
    search = CONTESTANTS[contestant](subject.space, seed, jobs, parallel)
    rng = np.random.default_rng((seed, 54321))
    running, rows, clock, launched = [], [], 0.0, 0
    while len(rows) < jobs:
        while len(running) < parallel and launched < jobs:
            handle, configuration = search.ask()
            if configuration is None:
                jobs = launched
                break
            value, seconds = subject.evaluate(configuration, rng)
            heapq.heappush(running, (clock + seconds, launched, handle, configuration, value, seconds))
            launched += 1
        if not running:
            break
        clock, _, handle, configuration, value, seconds = heapq.heappop(running)
        search.tell(handle, value)
        rows.append([configuration, value, subject.truth(configuration), round(seconds, 4)])
    return {
        "task": subject.name,
        "sampler": contestant,
        "seed": seed,
        "parallel": parallel,
        "space": subject.space,
        "best_known": subject.best,
        "median_random": subject.median,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", default=[*DEVELOPMENT, *HELD_OUT])
    parser.add_argument("--samplers", nargs="+", default=["alfine Bayesian"], choices=list(CONTESTANTS))
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 2))
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--noise", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [f"{name}~" if options.noise else name for name in options.tasks]
    subjects = [task(name) for name in names]
    with options.out.open("a") as out:
        for seed in range(*options.seeds):
            for subject in subjects:
                for contestant in options.samplers:
                    found = recorded(contestant, subject, seed, parallel=options.parallel)
                    out.write(json.dumps(found) + "\n")
                    out.flush()


if __name__ == "__main__":
    main()
