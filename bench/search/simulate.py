"""Plays searches on tasks: one contestant, some tasks, some seeds, in one process; a line of JSON a search.

    python simulate.py CONTESTANT [--tasks NAME …] [--seeds 0 10] [--jobs 100] [--parallel 1] [--to FILE] [--set MODULE.NAME=VALUE …]

A search is asynchronous: as soon as one of the `parallel` training jobs ends (after the seconds its task says it took), the
contestant hears its value and is asked again. `regret` is that of the best configuration seen so far by the values the
contestant was told, at its noise-free value, after each ended training job; `cpu` the seconds of CPU that each question took,
with what the contestant did on hearing a value; `load` the machine's as the search ended. Lines are appended to FILE, and what
it has already isn't played again; a search that fails is left out, and the exit status says so.
"""

from __future__ import annotations

import argparse
import heapq
import importlib
import json
import os
import sys
import time
import traceback
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from contestants import CONTESTANTS
from tasks import task


def search(make, subject, seed: int, jobs: int, parallel: int):
    contestant = make(subject.space, seed, jobs, parallel)
    rng = np.random.default_rng((seed, 12345))
    running, told, clock, launched = [], [], 0.0, 0
    regret, cpu, seen, best = [], [], {}, (np.inf, np.nan)
    while len(told) < jobs:
        while len(running) < parallel and launched < jobs:
            began = time.process_time()
            handle, configuration = contestant.ask()
            cpu.append(time.process_time() - began)
            if configuration is None:
                launched = jobs  # a finite space is used up
                break
            value, seconds = subject.evaluate(configuration, rng)
            heapq.heappush(running, (clock + seconds, launched, handle, configuration, value))
            key = json.dumps(configuration, sort_keys=True)
            seen[key] = seen.get(key, 0) + 1
            launched += 1
        if not running:
            break
        clock, number, handle, configuration, value = heapq.heappop(running)
        began = time.process_time()
        contestant.tell(handle, value)
        cpu[min(number, len(cpu) - 1)] += time.process_time() - began
        told.append(value)
        if value < best[0]:
            best = (value, subject.regret(subject.truth(configuration)))
        regret.append(best[1])
    regret += [regret[-1]] * (jobs - len(regret))
    return {
        "regret": [float(f"{r:.5g}") for r in regret],
        "cpu": [float(f"{c:.3g}") for c in cpu],
        "repeated": sum(seen.values()) - len(seen),
    }


def played(path: Path) -> list[dict]:
    """The searches in a file of lines; one that was cut off in the writing is left out."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant")
    parser.add_argument("--tasks", nargs="+", required=True)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 10), help="the first, and one past the last")
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--to", type=Path, help="append to this file, and play only what isn't in it")
    parser.add_argument(
        "--set", nargs="*", default=[], help="module constants of alfine, for ablations: strategies.bayesian.STARTS=3"
    )
    parser.add_argument("--label")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for each in options.set:
        place, value = each.split("=", 1)
        module, name = place.rsplit(".", 1)
        setattr(importlib.import_module(f"alfine.{module}"), name, json.loads(value))
    make = CONTESTANTS[options.contestant]
    subjects = [task(name) for name in options.tasks]
    there = {(line["task"], line["seed"]) for line in played(options.to)} if options.to else set()
    failed = 0
    for seed in range(*options.seeds):  # seeds outside, so that a run cut short has seen every task as often
        for subject in subjects:
            if (subject.name, seed) in there:
                continue
            try:
                found = search(make, subject, seed, options.jobs, options.parallel)
            except Exception:  # noqa: BLE001 - a peer may raise anything; the other searches go on
                print(f"{options.contestant} failed on {subject.name}, seed {seed}:", file=sys.stderr)
                traceback.print_exc()
                failed += 1
                continue
            line = {
                "contestant": options.label or options.contestant,
                "task": subject.name,
                "seed": seed,
                "parallel": options.parallel,
                "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
                "load": round(os.getloadavg()[0], 1),
                **found,
            }
            if options.to:
                with options.to.open("a") as out:
                    out.write(json.dumps(line) + "\n")
            else:
                print(json.dumps(line), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
