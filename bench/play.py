"""Plays searches on simulated tasks: one contestant, some tasks, some seeds, in one process; a line of JSON a search.

    python bench/play.py search CONTESTANT --tasks NAME … [--seeds 0 10] [--jobs 100] [--parallel 1]
    python bench/play.py curves CONTESTANT [--tasks NAME … | --held-out] [--seeds 0 10] [--noise 0.1]

`search` simulates training jobs that report one final value (search/simulate.py), `curves` training jobs that report on their way
(curves/simulate_reports.py). Both take

    --to FILE                    append the lines to FILE, and play only what isn't in it yet
    --set MODULE.NAME=VALUE …    module constants of alfine, for ablations: strategies.bayesian.STARTS=3
    --label NAME                 the contestant's name in the lines

A line has the contestant, the task, the seed, when the search ended (`at`), the machine's load at that time (`load`) and what the
simulation returns. A search that fails is left out, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

Simulation = Callable[[str, int], dict[str, Any]]
"""A function of a task's name and a seed: what the search came to."""


def played(path: Path | None) -> list[dict]:
    """Return the searches in a file of lines; a line that was cut off while it was written is left out."""
    lines = path.read_text().splitlines() if path and path.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def play(contestant: str, tasks: Sequence[str], seeds: range, simulate: Simulation, to: Path | None) -> int:
    """Play every task with every seed, write a line for each search, and return how many failed."""
    known = {(line["contestant"], line["task"], line["seed"]) for line in played(to)}
    failed = 0
    for seed in seeds:  # the outer loop, so that a run that is cut short has seen every task as often
        for task in tasks:
            if (contestant, task, seed) in known:
                continue
            try:
                outcome = simulate(task, seed)
            except Exception:  # noqa: BLE001 - a peer may raise anything; the other searches go on
                print(f"{contestant} failed on {task}, seed {seed}:", file=sys.stderr)
                traceback.print_exc()
                failed += 1
                continue
            now, load = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), round(os.getloadavg()[0], 1)
            write({"contestant": contestant, "task": task, "seed": seed, "at": now, "load": load, **outcome}, to)
    return failed


def write(line: dict[str, Any], to: Path | None) -> None:
    if to is None:
        print(json.dumps(line), flush=True)
        return
    with to.open("a") as out:
        out.write(json.dumps(line) + "\n")


def set_constants(settings: Sequence[str]) -> None:
    """Overwrite module constants of alfine. settings: `MODULE.NAME=VALUE`, the value as JSON."""
    for setting in settings:
        place, value = setting.split("=", 1)
        module, name = place.rsplit(".", 1)
        setattr(importlib.import_module(f"alfine.{module}"), name, json.loads(value))


def searches_of_values(options: argparse.Namespace) -> tuple[Sequence[str], Simulation]:
    sys.path.insert(0, str(HERE / "search"))
    from contestants import CONTESTANTS
    from simulate import search
    from tasks import task

    make, subjects = CONTESTANTS[options.contestant], {name: task(name) for name in options.tasks}

    def simulate(name: str, seed: int) -> dict[str, Any]:
        return {"parallel": options.parallel, **search(make, subjects[name], seed, options.jobs, options.parallel)}

    return options.tasks, simulate


def searches_of_curves(options: argparse.Namespace) -> tuple[Sequence[str], Simulation]:
    sys.path.insert(0, str(HERE / "curves"))
    from contestants_of_curves import CONTESTANTS
    from curve_tasks import DEVELOPMENT, HELD_OUT, curve_task
    from simulate_reports import search

    def simulate(name: str, seed: int) -> dict[str, Any]:
        return search(CONTESTANTS[options.contestant], curve_task(name), seed, options.noise)

    return HELD_OUT if options.held_out else options.tasks or DEVELOPMENT, simulate


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("contestant")
    common.add_argument("--seeds", nargs=2, type=int, default=(0, 10), help="the first, and one past the last")
    common.add_argument("--to", type=Path, help="append to this file, and play only what isn't in it")
    common.add_argument("--set", nargs="*", default=[], help="constants of alfine: strategies.bayesian.STARTS=3")
    common.add_argument("--label", help="the contestant's name in the lines")
    kinds = parser.add_subparsers(required=True, metavar="search | curves")
    search = kinds.add_parser("search", parents=[common], help="training jobs that report one final value")
    search.add_argument("--tasks", nargs="+", required=True)
    search.add_argument("--jobs", type=int, default=100, help="training jobs of a search")
    search.add_argument("--parallel", type=int, default=1, help="training jobs at a time")
    search.set_defaults(searches=searches_of_values)
    curves = kinds.add_parser("curves", parents=[common], help="training jobs that report on their way")
    curves.add_argument("--tasks", nargs="+", help="default: those for development")
    curves.add_argument("--held-out", action="store_true", help="the held-out tasks")
    curves.add_argument("--noise", type=float, default=0.0, help="deviation of a report, in units of regret")
    curves.set_defaults(searches=searches_of_curves)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    warnings.simplefilter("ignore")
    set_constants(options.set)
    tasks, simulate = options.searches(options)
    failed = play(options.label or options.contestant, tasks, range(*options.seeds), simulate, options.to)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
