"""Records searches for fitting and judging the stopping rule: one file each, what is there already isn't recorded again.

    python bench/stopping/collect.py FOLDER [--only fitted|held-out] [--most 50]       all of it: some 30 minutes of one core

`plan()` says which: alfine's own Bayesian strategy, Optuna's TPE and Random on the tasks of problems.py, with one and with four
training jobs at once, with and without failures and noise. A file has, for each training job in order of completion, its `points` (of
alfine's cube), `values` (minimised; NaN where it failed) and `truth` (without noise); and what ConvergenceDetected's evidence was at
`checks`, since the Gaussian process is most of the work: `prospects`, `noise`, `locality`.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import itertools
import json
import math
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from problems import fitted, names, problem

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "search"))
from contestants import CONTESTANTS, Alfine, AlfineRandom

JOBS = 200
CHECKS = (*range(10, 40, 2), *range(40, 80, 4), *range(80, JOBS, 8))
BAYESIAN, OTHERS = "alfine Bayesian", ("Optuna TPE", "alfine Random")
FOUR, FAILING, NOISY, VERY_NOISY = {"parallel": 4}, {"fail": 0.1}, {"noise": 1.0}, {"noise": 3.0}
PROSPECTS = 16


def plan() -> list[dict[str, Any]]:  # noqa: C901 - four kinds of tasks, a paragraph each
    """Every search, in an order of which any beginning has a bit of everything."""
    found = []

    def add(task: str, sampler: str, seed: int, **hardship: float) -> None:
        found.append(
            {"task": task, "sampler": sampler, "seed": seed, "parallel": 1, "fail": 0.0, "noise": 0.0, **hardship}
        )

    def turn(options, number):
        return options[number % len(options)]

    kinds: dict[str, list[str]] = {}
    for name in names():
        kind = name.split("/")[0]
        kinds.setdefault(kind if kind in ("table", "slice", "live") else "function", []).append(name)
    for lap in range(4):
        for i, task in enumerate(kinds["table"]):
            add(task, BAYESIAN, 2 * lap)
            add(task, BAYESIAN, 2 * lap + 1, **turn((FOUR, FAILING, NOISY, VERY_NOISY), i + lap))
            add(task, turn(OTHERS, i + lap), lap)
            if lap:
                add(task, turn(OTHERS, i + lap + 1), 10 + lap, **turn((FOUR, FAILING, NOISY, VERY_NOISY), i + lap))
        for i, task in enumerate(kinds["live"] if lap < 2 else []):
            add(task, turn((BAYESIAN, *OTHERS), i + 2 * lap), lap)
            add(task, BAYESIAN, 5 + lap, **turn(({}, {}, FOUR, FAILING), i + lap))
        for i, task in enumerate(kinds["slice"] if lap < 2 else []):
            add(task, BAYESIAN, lap, **turn(({}, {}, FOUR, NOISY, FAILING), i + lap))
            add(task, turn(OTHERS, i + lap), 5 + lap)
        for i, task in enumerate(kinds["function"]):
            if 3 * lap <= i // 9 < 3 * lap + 4:
                add(task, BAYESIAN, lap, **turn(({}, {}, {}, NOISY, FOUR, FAILING, VERY_NOISY), i + lap))
                add(task, turn(OTHERS, i + lap), 5 + lap, **turn(({}, {}, {}, NOISY), i + lap))
    order = np.random.default_rng(0).permutation(len(found))
    unique = {json.dumps(found[i], sort_keys=True): found[i] for i in order}
    return list(unique.values())


class Recorder:
    """A search by any contestant, with a history of alfine's beside it that the evidence is read from."""

    def __init__(self, search: dict[str, Any], jobs: int) -> None:
        self.problem = problem(search["task"])
        self.contestant = CONTESTANTS[search["sampler"]](self.problem.space, search["seed"], jobs, search["parallel"])
        own = isinstance(self.contestant, Alfine)
        self.beside = None if own else AlfineRandom(self.problem.space, search["seed"], jobs, search["parallel"])
        self.history = (self.beside or self.contestant).history
        self.launched = 0

    def launch(self):
        """(number, handle, configuration), None when the space is used up."""
        from alfine.core.history import Launched

        handle, configuration = self.contestant.ask()
        if configuration is None:
            return None
        self.launched += 1
        if self.beside:
            texts = {p["name"]: str(configuration[p["name"]]) for p in self.problem.space if p["type"] == "cat"}
            self.history.record(
                Launched(
                    at=self.beside.now,
                    number=self.launched,
                    name=str(self.launched),
                    hyperparameters={**configuration, **texts},
                )
            )
        return self.launched, handle, configuration

    def end(self, number: int, handle, value: float, *, failed: bool) -> None:
        from alfine.core.history import Ended

        if self.beside and not failed:
            self.contestant.tell(handle, value)
        elif self.beside and hasattr(self.contestant, "study"):
            from optuna.trial import TrialState

            self.contestant.study.tell(handle, state=TrialState.FAIL)
        status, objective = ("Failed", None) if failed else ("Completed", float(value))
        self.history.record(Ended(at=self.history.now, number=number, status=status, objective=objective))


def recorded(search: dict[str, Any], jobs: int = JOBS) -> dict[str, Any]:
    """One search, asynchronous where several training jobs run at once. Failures are by chance, wherever."""
    from alfine.criteria.convergence import LEAST_RESULTS, read_evidence

    recorder = Recorder(search, jobs)
    history, rng = recorder.history, np.random.default_rng((search["seed"], 777, zlib.crc32(search["task"].encode())))
    running: list[tuple] = []
    rows, evidence, clock = [], [], 0.0
    while len(rows) < jobs:
        while len(running) < search["parallel"] and recorder.launched < jobs:
            launched = recorder.launch()
            if launched is None:
                jobs = recorder.launched
                break
            number, handle, configuration = launched
            truth = recorder.problem.truth(configuration)
            value = truth + search["noise"] * recorder.problem.noise * rng.standard_normal()
            failed = (search["fail"] > 0 and rng.random() < search["fail"]) or not math.isfinite(value)
            heapq.heappush(running, (clock + float(np.exp(rng.normal(0.0, 0.5))), number, handle, value, truth, failed))
        if not running:
            break
        clock, number, handle, value, truth, failed = heapq.heappop(running)
        recorder.end(number, handle, value, failed=failed)
        point = history.spec.space.to_unit(history.job(number).hyperparameters)
        rows.append((math.nan if failed else value, truth, *point))
        if len(rows) in CHECKS and len(history.observations()[1]) >= LEAST_RESULTS:
            read, _ = read_evidence(history, jobs - len(rows))
            prospects = np.full((PROSPECTS, 2), np.nan)
            if read.prospects is not None:
                prospects[: len(read.prospects)] = read.prospects
            evidence.append((len(rows), prospects, read.noise, read.locality))
    table = np.array(rows)
    checks, prospects, noise, locality = ([each[i] for each in evidence] for i in range(4))
    described = {
        **search, "hyperparameters": len(recorder.problem.space), "spread": recorder.problem.spread,
        "fitted": fitted(search["task"]),
    }  # fmt: skip
    return {
        "search": json.dumps(described), "values": table[:, 0], "truth": table[:, 1], "points": table[:, 2:].astype(np.float32),
        "checks": np.array(checks), "prospects": np.array(prospects, np.float32), "noise": np.array(noise),
        "locality": np.array(locality, np.float32),
    }  # fmt: skip


def plain(search: dict[str, Any]) -> bool:
    return search["parallel"] == 1 and not search["fail"] and not search["noise"]


def exported(folder: Path, to: Path) -> None:
    """The searches of held-out tasks without hardships, as run.py reads them."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as file:
            search = json.loads(str(file["search"]))
            if plain(search) and not search["fitted"]:
                found.append((search, file["values"], file["points"]))
    least: dict[str, float] = {}
    for search, values, _ in found:
        least[search["task"]] = min(least.get(search["task"], math.inf), float(values.min()))
    with gzip.open(to, "wt", encoding="utf-8") as out:
        for search, values, points in sorted(found, key=lambda each: json.dumps(each[0])):
            subject = problem(search["task"])
            space = AlfineRandom(subject.space, 0, JOBS, 1).history.spec.space
            choices = {p["name"]: {str(c): c for c in p["choices"]} for p in subject.space if p["type"] == "cat"}
            rows = []
            for value, point in zip(values, points, strict=True):
                given = {k: choices[k][str(v)] if k in choices else v for k, v in space.from_unit(point).items()}
                rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in given.items()}
                rows.append([rounded, float(f"{value:.9g}"), float(f"{value:.9g}"), 1.0])
            best = min(least[search["task"]], getattr(subject, "best", math.inf))
            described = {
                "task": search["task"].removeprefix("table/"), **{k: search[k] for k in ("sampler", "seed", "parallel")},
                "space": subject.space, "best_known": best, "median_random": best + subject.spread, "rows": rows,
            }  # fmt: skip
            out.write(json.dumps(described) + "\n")


def main() -> None:
    from alfine.core.errors import InvalidSpec

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["fitted", "held-out"])
    parser.add_argument("--most", type=int, help="so many searches of the plan at most")
    parser.add_argument(
        "--export", type=Path, help="write what run.py reads, from what is in the folder, and record nothing"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.export:
        return exported(options.folder, options.export)
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = (s for s in plan() if options.only in (None, "fitted" if fitted(s["task"]) else "held-out"))
    for search in itertools.islice(wanted, options.most):
        key = zlib.crc32(json.dumps(search, sort_keys=True).encode())
        path = options.folder / f"{key:08x}.npz"
        if not path.exists():
            writing = options.folder / f"{path.stem}.part.npz"
            try:
                np.savez_compressed(writing, **recorded(search))
            except InvalidSpec as error:  # a space with fewer combinations than training jobs
                print(search, error, flush=True)
                continue
            writing.replace(path)
            print(search, flush=True)
    return None


if __name__ == "__main__":
    main()
