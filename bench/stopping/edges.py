"""How often the remark «the best lie at an end of a range» is right: searches in parts of the spaces of real tuning tasks.

    python bench/stopping/edges.py record TASKS SEARCHES.jsonl    play searches on the tasks of a folder (an hour on one core)
    python bench/stopping/edges.py SEARCHES.jsonl                 look at them as a job does while it runs (ten minutes)

TASKS is a folder with a module `tasks` whose `load_tasks()` returns tasks: name, space, minimize, evaluate, surface. Each search of 60
training jobs runs in a box: of each numeric hyperparameter a random interval of its axis, half of the axis wide. So what lies beyond
an end of the box is known. By the task's noise-free surface, as shares of the median of the box - the best of the box:

    kept    what the best of the box loses without the outermost tenth of the end
    gained  what the best of the box gains if the box is widened there by half, as the remark proposes

    inside          kept < 0.5 %: the best lies elsewhere, and a remark is a false alarm
    nearly          kept < 2 %
    at the end      kept >= 2 %; a wider range gains less than 2 %
    beyond the end  kept >= 2 %, and a wider range gains at least 2 %

«Pile up» counts the ends where six of the ten best of the first 49 results lie in the outermost tenth: others can't be seen.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from alfine import Categorical, Continuous, Integer
from alfine.api.job_words import job_request
from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.jobs.policy_for import policy_for
from alfine.surrogate.space_diagnosis import remarks, rungs
from alfine.surrogate.space_remarks import AT_EDGE

JOBS = 60
"""Training jobs of a search."""

WIDTH = 0.5
"""Share of an axis that a box keeps."""

INSIDE, AT_END = 0.005, 0.02
"""Shares between which it isn't clear whether the best lies at an end."""

TENTH = 0.1
"""Share of an axis that is its end."""

KINDS = ("inside", "nearly", "at the end", "beyond the end")

POINTS = 3000
"""Random configurations by which the best of a box is looked for, before it is looked for near the best of these."""


def box_of(task: Any, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the task's space with a random half of each numeric axis; whole numbers that are few stay as they are."""
    box = []
    for range_ in task.space:
        entry = dict(range_)
        is_wide = range_["type"] == "float" or (range_["type"] == "int" and range_["high"] - range_["low"] >= 6)
        if is_wide:
            low = rng.uniform(0.0, 1.0 - WIDTH)
            entry["low"], entry["high"] = _between(range_, low, low + WIDTH)
        box.append(entry)
    return box


def _between(range_: Mapping[str, Any], low: float, high: float) -> tuple[Any, Any]:
    ends = [range_["low"], range_["high"]]
    a, b = np.log(ends) if range_["log"] else ends
    values = [a + share * (b - a) for share in (low, high)]
    values = [float(np.exp(value)) if range_["log"] else float(value) for value in values]
    return tuple(round(value) for value in values) if range_["type"] == "int" else tuple(values)


def with_end(range_: Mapping[str, Any], whole: Mapping[str, Any], by: float, *, upper: bool) -> dict[str, Any] | None:
    """Return the range with one end moved outwards by a share of its width, within the whole range; None where that moves nothing."""
    ends = np.array([range_["low"], range_["high"]], float)
    low, high = np.log(ends) if range_["log"] else ends
    end = high + by * (high - low) if upper else low - by * (high - low)
    end = float(np.exp(end)) if range_["log"] else float(end)
    end = min(end, whole["high"]) if upper else max(end, whole["low"])
    if range_["type"] == "int":
        end = (
            round(end)
            if by > 0
            else min(int(end), range_["high"] - 1)
            if upper
            else max(int(end) + 1, range_["low"] + 1)
        )
    moved = {**range_, "high" if upper else "low": end}
    return moved if moved != range_ and moved["low"] < moved["high"] else None


def best_of(task: Any, box: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> tuple[float, float]:
    """Return the best and the median objective of a box, minimised, by the task's surface."""
    sign = 1.0 if task.minimize else -1.0
    points = [_drawn(box, rng.random(len(box))) for _ in range(POINTS)]
    values = sign * task.surface(points)[0]
    median = float(np.median(values))
    for width in (0.2, 0.05, 0.02):
        top = [points[at] for at in np.argsort(values)[:5]]
        near = [_near(box, point, rng, width) for point in top for _ in range(60)]
        points, values = top + near, sign * task.surface(top + near)[0]
    return float(values.min()), median


def _drawn(box: Sequence[Mapping[str, Any]], u: np.ndarray) -> dict[str, Any]:
    drawn = {}
    for range_, share in zip(box, u, strict=True):
        if range_["type"] == "cat":
            drawn[range_["name"]] = range_["choices"][int(share * len(range_["choices"]))]
        else:
            drawn[range_["name"]] = _between(range_, share, share)[0]
    return drawn


def _near(box: Sequence[Mapping[str, Any]], point: Mapping[str, Any], rng: np.random.Generator, width: float) -> dict:
    moved = {}
    for range_ in box:
        value, name = point[range_["name"]], range_["name"]
        if range_["type"] == "cat" or range_["low"] == range_["high"]:
            moved[name] = value
            continue
        low, high, at = range_["low"], range_["high"], value
        if range_["log"]:
            low, high, at = np.log([low, high, at])
        share = min(1.0, max(0.0, (at - low) / (high - low) + width * rng.standard_normal()))
        moved[name] = _between(range_, share, share)[0]
    return moved


def truths(task: Any, box: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return «kept» and «gained» of each end of the box beyond which something lies, by «name lower» and «name upper»."""
    best, median = best_of(task, box, rng)
    scale, ends = max(median - best, 1e-12), {}
    for at, range_ in enumerate(box):
        for upper in (False, True) if range_["type"] != "cat" else ():
            wider = with_end(range_, task.space[at], 0.5, upper=upper)
            smaller = with_end(range_, task.space[at], -TENTH, upper=upper)
            if wider and smaller:
                without, more = (best_of(task, [*box[:at], each, *box[at + 1 :]], rng)[0] for each in (smaller, wider))
                name = f"{range_['name']} {'upper' if upper else 'lower'}"
                ends[name] = {"kept": (without - best) / scale, "gained": (best - more) / scale}
    return ends


def kind_of(end: Mapping[str, float]) -> str:
    """Return where the best lies: one of KINDS."""
    if end["kept"] < AT_END:
        return "inside" if end["kept"] < INSIDE else "nearly"
    return "beyond the end" if end["gained"] >= AT_END else "at the end"


def record(folder: Path, path: Path, seeds: int, first: int) -> None:
    """Play searches, and write them with their truth, one a line."""
    sys.path.insert(0, str(folder))
    from tasks import load_tasks

    with path.open("a") as file:
        for seed in range(first, first + seeds):
            for task in load_tasks():
                rng = np.random.default_rng([seed, len(task.name)])
                box = box_of(task, rng)
                ends = truths(task, box, rng)
                strategy, parallel = [("Bayesian", 1), ("Bayesian", 4), ("Random", 1)][seed % 3]
                noise = float(seed % 2)
                request = asked(box, strategy, seed, maximise=not task.minimize)
                rows = list(played(task, request, rng, noise, parallel))
                entry = {"task": task.name, "seed": seed, "strategy": strategy, "parallel": parallel, "noise": noise}
                file.write(json.dumps({**entry, "request": request, "ends": ends, "rows": rows}) + "\n")
                file.flush()


def asked(box: Sequence[Mapping[str, Any]], strategy: str, seed: int, *, maximise: bool) -> dict[str, Any]:
    """Return the request of a search in a box."""
    space: dict[str, Any] = {}
    for range_ in box:
        scaling = "Logarithmic" if range_["log"] else "Linear"
        if range_["type"] == "cat":
            space[range_["name"]] = Categorical(range_["choices"])
        else:
            kind = Integer if range_["type"] == "int" else Continuous
            space[range_["name"]] = kind(range_["low"], range_["high"], scaling=scaling)
    goal = "Maximize" if maximise else "Minimize"
    words = {"name": "edges", "space": space, "strategy": strategy, "seed": seed, "goal": goal}
    return job_request(**words, max_training_jobs=JOBS)


def played(
    task: Any, request: Mapping[str, Any], rng: np.random.Generator, noise: float, parallel: int
) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield (configuration, objective) in the order in which they end, `parallel` of them at a time."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    history = History(read_spec(request), now)
    search, running = policy_for(history.spec).strategy, []
    for number in range(1, JOBS + 1):
        values, now = search.ask(history).hyperparameters, now + timedelta(seconds=1)
        history.record(Launched(at=now, number=number, name=str(number), hyperparameters=values))
        running.append((number, values))
        while len(running) >= (parallel if number < JOBS else 1):
            ended, values = running.pop(0)
            value = task.evaluate(values, rng, noise)["value"]
            history.record(Ended(at=now, number=ended, status="Completed", objective=value))
            yield dict(values), value


def histories(entry: Mapping[str, Any]) -> Iterator[History]:
    """Yield the history of a recorded search at each number of results at which a space is looked at."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    history = History(read_spec(entry["request"]), now)
    looks = set(rungs(len(entry["rows"])))
    for number, (values, objective) in enumerate(entry["rows"], 1):
        now += timedelta(seconds=1)
        history.record(Launched(at=now, number=number, name=str(number), hyperparameters=values))
        history.record(Ended(at=now, number=number, status="Completed", objective=objective))
        if number in looks:
            yield history


def piles(history: History) -> set[str]:
    """Return the ends where six of the best ten lie in the outermost tenth."""
    best = sorted(history.finished, key=lambda job: history.sign * (job.objective or 0.0))[:10]
    ends = set()
    for name, range_ in history.spec.space.ranges.items():
        places = np.array([range_.to_unit(job.hyperparameters[name]) for job in best])
        ends |= {f"{name} lower"} if (places <= TENTH + 1e-9).sum() >= 6 else set()
        ends |= {f"{name} upper"} if (places >= 1 - TENTH - 1e-9).sum() >= 6 else set()
    return ends


def found_in(entry: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the ends that a recorded search's remarks name at any look, and those where its best pile up."""
    found: set[str] = set()
    piled: set[str] = set()
    for history in histories(entry):
        piled = piles(history)
        for remark in remarks(history):
            if remark.kind == AT_EDGE:
                found.add(f"{remark.hyperparameter} {'lower' if ' lower ' in remark.sentence else 'upper'}")
    return found, piled


def measure(path: Path) -> None:
    """Print how many remarks there were of each kind of end."""
    table: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        found, piled = found_in(entry)
        for name, end in entry["ends"].items():
            table[kind_of(end)].update(
                {"ends": 1, "remarks": name in found, "piles": name in piled, "seen": name in found & piled}
            )
    print("| the best lies | ends | remarks | … where the best pile up |\n| --- | ---: | ---: | ---: |")
    for kind, counts in table.items():
        print(f"| {kind} | {counts['ends']} | {counts['remarks']} | {counts['seen']} of {counts['piles']} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    if options.words[0] == "record":
        record(Path(options.words[1]), Path(options.words[2]), options.seeds, options.first)
    else:
        measure(Path(options.words[0]))


if __name__ == "__main__":
    main()
