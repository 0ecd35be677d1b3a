"""Records searches for fitting and judging the stopping rule: one file each, what is there already isn't recorded again.

    python bench/stopping/collect.py FOLDER [--only fitted|held-out] [--most 50]       all of it: some 30 minutes of one core

`plan()` says which: alfine's own Bayesian strategy, Optuna's TPE and Random on the tasks of problems.py, with one and with four
training jobs at once, with and without failures and noise. A file has, for each training job in order of completion, its `points` (of
alfine's cube), `values` (minimised; NaN where it failed) and `truth` (without noise); and what ConvergenceDetected's evidence was at
`checks`, since the Gaussian process is most of the work: `prospects`, `expected`, `noise`, `locality`. `thetas` are the surrogate's hyperparameters at the
`rungs`: with them other evidence can be read within a second, as no fit is done again (`python bench/stopping/collect.py FOLDER --again`).
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

from alfine.core.facts import Ended, Launched
from alfine.surrogate.model import THETA

JOBS = 200
CHECKS = (*range(10, 40, 2), *range(40, 80, 4), *range(80, JOBS, 8))
BAYESIAN, OTHERS = "alfine Bayesian", ("Optuna TPE", "alfine Random")
FOUR, FAILING, NOISY, VERY_NOISY = {"parallel": 4}, {"fail": 0.1}, {"noise": 1.0}, {"noise": 3.0}
PROSPECTS = 16
# So many of the plan were recorded, the first of each side; what the rest would add wasn't worth an hour of one core.
RECORDED = {"fitted": 400, "held-out": 357}
EXPORTED = 90  # of those of held-out tasks without hardships, for run.py


def plan() -> list[dict[str, Any]]:  # noqa: C901 - four kinds of tasks, a paragraph each
    """Every search, of each side in an order of which any beginning has a bit of everything."""
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
            if lap < 2:
                add(task, BAYESIAN, 20 + lap, **turn((NOISY, VERY_NOISY), i + lap))
                add(task, turn(OTHERS, i // 2 + lap), 20 + lap, **turn((VERY_NOISY, NOISY), i + lap))
        for i, task in enumerate(kinds["live"] if lap < 1 else []):
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
    unique = {json.dumps(found[i], sort_keys=True): found[i] for i in order}.values()
    sides = ([s for s in unique if side_of(s) == side][:most] for side, most in RECORDED.items())
    return [search for side in sides for search in side]


def name_of(search: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(search, sort_keys=True).encode()):08x}"


def side_of(search: dict[str, Any]) -> str:
    return "fitted" if fitted(search["task"]) else "held-out"


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
        if self.beside and not failed:
            self.contestant.tell(handle, value)
        elif self.beside and hasattr(self.contestant, "study"):
            from optuna.trial import TrialState

            self.contestant.study.tell(handle, state=TrialState.FAIL)
        status, objective = ("Failed", None) if failed else ("Completed", float(value))
        self.history.record(Ended(at=self.history.now, number=number, status=status, objective=objective))


def recorded(search: dict[str, Any], jobs: int = JOBS) -> dict[str, Any]:
    """One search, asynchronous where several training jobs run at once. Failures are by chance, wherever."""
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
        evidence += evidence_at(history, jobs)
    table = np.array(rows)
    described = {
        **search, "hyperparameters": len(recorder.problem.space), "spread": recorder.problem.spread,
        "fitted": fitted(search["task"]),
    }  # fmt: skip
    return {
        "search": json.dumps(described), "values": table[:, 0], "truth": table[:, 1], "points": table[:, 2:],
        **columns(evidence), **fits_of(history),
    }  # fmt: skip


def evidence_at(history, jobs: int) -> list[tuple]:
    """A row, where there is a look at it."""
    from alfine.criteria.improvement import LEAST_RESULTS, read_evidence

    if history.ended not in CHECKS or len(history.observations()[1]) < LEAST_RESULTS:
        return []
    read, _ = read_evidence(history, jobs - history.ended)
    prospects, expected = np.full((PROSPECTS, 2), np.nan), np.full(JOBS, np.nan)
    if read.prospects is not None:
        prospects[: len(read.prospects)] = read.prospects
    expected[: len(read.expected)] = read.expected
    return [(history.ended, prospects, expected, read.noise, read.locality)]


def columns(evidence: list[tuple]) -> dict[str, np.ndarray]:
    checks, prospects, expected, noise, locality = ([each[i] for each in evidence] for i in range(5))
    return {
        "checks": np.array(checks), "prospects": np.array(prospects, np.float32), "expected": np.array(expected),
        "noise": np.array(noise), "locality": np.array(locality, np.float32),
    }  # fmt: skip


def read_again(path: Path) -> None:
    """The evidence of a recorded search as today's code reads it, from the fits that are kept."""
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    search = json.loads(str(kept["search"]))
    beside = AlfineRandom(problem(search["task"]).space, search["seed"], JOBS, search["parallel"])
    history, values = beside.history, kept["values"]
    for rung, theta in zip(kept["rungs"], kept["thetas"], strict=True):
        history.remember(THETA.of(int(rung), 0), theta)  # no results of parents
    evidence = []
    for number, (value, point) in enumerate(zip(values, kept["points"], strict=True), 1):
        hyperparameters = history.spec.space.from_unit(point)
        history.record(Launched(at=beside.now, number=number, name=str(number), hyperparameters=hyperparameters))
        ended = ("Completed", float(value)) if math.isfinite(value) else ("Failed", None)
        history.record(Ended(at=beside.now, number=number, status=ended[0], objective=ended[1]))
        evidence += evidence_at(history, len(values))
    kept |= columns(evidence)
    writing = path.with_suffix(".part.npz")
    np.savez_compressed(writing, **kept)
    writing.replace(path)


def fits_of(history) -> dict[str, np.ndarray]:
    """What was fitted on the way, by the number of observations that it rests on."""
    found = {key.parameters[0]: theta for key, (_, theta) in history.memo.items() if key == THETA.of(*key.parameters)}
    return {"rungs": np.array(sorted(found)), "thetas": np.array([found[rung] for rung in sorted(found)])}


def files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("[0-9a-f]*.npz")) if ".part" not in path.name]


def plain(search: dict[str, Any]) -> bool:
    return search["parallel"] == 1 and not search["fail"] and not search["noise"]


def exported(folder: Path, to: Path) -> None:
    """The first searches of held-out tasks without hardships, as run.py reads them."""
    chosen = [s for s in plan() if plain(s) and side_of(s) == "held-out" and (folder / f"{name_of(s)}.npz").exists()]
    found = []
    for search in chosen[:EXPORTED]:
        with np.load(folder / f"{name_of(search)}.npz") as file:
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
    parser.add_argument(
        "--again", action="store_true", help="read the evidence of what is there again, and record nothing"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.export:
        return exported(options.folder, options.export)
    if options.again:
        for path in files(options.folder):
            read_again(path)
        return None
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = (s for s in plan() if options.only in (None, side_of(s)))
    for search in itertools.islice(wanted, options.most):
        path = options.folder / f"{name_of(search)}.npz"
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
