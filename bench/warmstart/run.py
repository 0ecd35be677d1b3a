"""`make bench-warmstart`: what a warm start is worth, and what it costs when its parents mislead. Writes its part of bench/README.md.

    python bench/warmstart/run.py                    all of it; searches that ended before (warmstart/data/searches.jsonl) aren't played again
    python bench/warmstart/run.py --seeds 2 --only cold related     prints the table, writes nothing

The tasks are tables of real trainings (bench/search/data/tables). A parent is a finished search of 40 training jobs by alfine's
`Bayesian`, on one of these; the child has 25 training jobs. Regret: 0 is the best known, 1 the median random configuration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "search"))

from contestants import Alfine, _range  # noqa: E402 - of bench/search
from tasks import from_unit, task, to_unit  # noqa: E402

README, SEARCHES = HERE.parent / "README.md", HERE / "data" / "searches.jsonl"
BEGIN, END = "<!-- warm start results: written by bench/warmstart/run.py -->", "<!-- end of warm start results -->"
PARENT_JOBS, CHILD_JOBS, BUDGETS = 40, 25, (3, 5, 10, 25)
IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"
COLD_SEEDS = 3  # times as many of the cold start: all others are compared with it
SHIFT = 0.15  # in cube edges, of every number

# A child, what its related parents were trained on (the same algorithm, other data), and what these tune beside it, held fixed.
XGB = {"min_child_weight": 1.0, "reg_lambda": 1.0, "reg_alpha": 0.01, "n_estimators": 40, "gamma": 0.001}
RELATED: dict[str, dict[str, dict[str, Any]]] = {
    "diabetes_xgb_6d": {"blobs_xgb_8d": XGB, "breast_boost_9d": XGB},
    "blobs_xgb_8d": {"breast_boost_9d": XGB},
    "digits_svm_2d": {"digits_svm_5d": {"kernel": "rbf", "coef0": 0.0, "shrinking": True}, "breast_svm_2d": {}},
    "wine_mlp_5d": {"digits_mlp_8d": {"layers": 1, "optimizer": "adam", "batch": 32}},
    "digits_mlp_8d": {"blobs_mlp_10d": {"gain": 1.0, "momentum": 0.9}},
    # Nothing was chosen on these three.
    "breast_xgb_4d": {"diabetes_xgb_6d": XGB, "blobs_xgb_8d": XGB, "breast_boost_9d": XGB},
    "breast_svm_2d": {"digits_svm_2d": {}},
    "diabetes_forest_4d": {"hastie_forest_6d": {"criterion": "gini", "bootstrap": True}},
}
HELD_OUT = ("breast_xgb_4d", "breast_svm_2d", "diabetes_forest_4d")


@dataclass(frozen=True)
class Subject:
    """A function to be searched: a table's, with some hyperparameters fixed, seen through a map of the cube and one of the values."""

    table: str
    space: list[dict[str, Any]]
    fixed: dict[str, Any]
    moved: Callable[[np.ndarray], np.ndarray] = lambda u: u
    told: Callable[[float], float] = lambda value: value

    def evaluate(self, configuration: dict[str, Any]) -> float:
        unit = cells(self.space, configuration)
        there = from_unit(self.space, self.moved(unit))
        values = {**self.fixed, **there}
        return self.told(loaded(self.table).truth({p["name"]: values[p["name"]] for p in loaded(self.table).space}))


@cache
def loaded(name: str):
    return task(name)


def cells(space, configuration) -> np.ndarray:
    """Of `to_unit`, with categories at the middle of their cells."""
    unit = to_unit(space, configuration)
    return np.array(
        [(u + 0.5) / len(p["choices"]) if p["type"] == "cat" else u for p, u in zip(space, unit, strict=True)]
    )


def shifted(u: np.ndarray) -> np.ndarray:
    """Back and forth: what would leave the cube is reflected at its end."""
    v = u + SHIFT
    return np.where(v > 1.0, 2.0 - v, v)


def plain(name: str) -> Subject:
    return Subject(name, loaded(name).space, {})


def related(child: str, other: str, fixed: dict[str, Any]) -> Subject:
    """The other table's function of the child's hyperparameters, over its own ranges of them."""
    names = [p["name"] for p in loaded(child).space]
    space = [next(p for p in loaded(other).space if p["name"] == name) for name in names]
    return Subject(other, space, {k: v for k, v in fixed.items() if k not in names})


def one_related(child: str, seed: int) -> list[Subject]:
    others = list(RELATED[child].items())
    return [related(child, *others[seed % len(others)])]


def misleading(child: str) -> list[Subject]:
    own = plain(child)
    return [
        Subject(own.table, own.space, {}, told=lambda value: -value),
        Subject(own.table, own.space, {}, moved=lambda u: 1.0 - u),
    ]


# What the parents are: name -> (kind of warm start, words for the table, the parents).
PARENTS: dict[str, tuple[str | None, str, Callable[[str, int], list[Subject]]]] = {
    "cold": (None, "none: a cold start", lambda _child, _seed: []),
    "identical": (IDENTICAL, "the same function; the parent's best counts", lambda child, _seed: [plain(child)]),
    "same": (TRANSFER, "the same function", lambda child, _seed: [plain(child)]),
    "related": (TRANSFER, "the same algorithm on other data", one_related),
    "shifted": (
        TRANSFER,
        f"the same function, moved by {SHIFT} along every axis",
        lambda child, _seed: [Subject(child, loaded(child).space, {}, moved=shifted)],
    ),
    "negated": (TRANSFER, "misleading: objectives negated", lambda child, _seed: misleading(child)[:1]),
    "reversed": (TRANSFER, "misleading: every axis reversed", lambda child, _seed: misleading(child)[1:]),
    "five": (
        TRANSFER,
        "five: related ones, a moved one and both misleading ones",
        lambda child, _seed: [
            *[related(child, *each) for each in RELATED[child].items()][:2],
            Subject(child, loaded(child).space, {}, moved=shifted),
            *misleading(child),
        ],
    ),
    "mistaken": (IDENTICAL, "the same algorithm on other data, said to be the same", one_related),
}


class Search(Alfine):
    """bench/search's contestant with parents: histories of searches."""

    def __init__(self, space, seed, jobs, kind=None, parents=()):
        from alfine.api.job_words import job_request
        from alfine.core.history import History
        from alfine.core.read_spec import read_spec
        from alfine.core.warm_start import inheritance

        super().__init__(space, seed, jobs, 1)
        names = [parent.spec.name for parent in parents]
        words = {"warm_start": names, "warm_start_type": kind} if parents else {}
        request = job_request(
            name=f"child-{seed}", space={p["name"]: _range(p) for p in space}, metric="loss", max_training_jobs=jobs, seed=seed,
            **words,
        )  # fmt: skip
        self.spec = read_spec(request)
        inherited = [each for parent in parents for each in inheritance(self.spec, parent)]
        self.history = History(self.spec, datetime(2026, 1, 1, tzinfo=UTC), tuple(inherited))

    def play(self, subject: Subject, jobs: int) -> list[float]:
        values = []
        for _ in range(jobs):
            handle, configuration = self.ask()
            values.append(subject.evaluate(configuration))
            self.tell(handle, values[-1])
        return values


def parent(subject: Subject, number: int, seed: int):
    """The history of a search of the subject; its name says which."""
    search = Search(subject.space, 7919 + 31 * seed + number, PARENT_JOBS)
    search.play(subject, PARENT_JOBS)
    return search.history


def played(child: str, condition: str, seed: int) -> list[float]:
    """The regret of the best so far, after each training job."""
    kind, _, subjects = PARENTS[condition]
    parents = [parent(subject, number, seed) for number, subject in enumerate(subjects(child, seed))]
    values = Search(loaded(child).space, seed, CHILD_JOBS, kind, parents).play(plain(child), CHILD_JOBS)
    best = np.minimum.accumulate(values)
    if condition == "identical":
        best = np.minimum(best, parents[0].incumbent.objective)
    return [float(f"{loaded(child).regret(value):.4g}") for value in best]


# -- the table -------------------------------------------------------------------------------------------------------


def regrets(rows: Sequence[dict[str, Any]], condition: str, at: int) -> dict[str, np.ndarray]:
    """By task, one a seed."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["parents"] == condition:
            found.setdefault(row["task"], []).append(row["regret"][at - 1])
    return {name: np.array(values) for name, values in found.items()}


def drawn(groups: dict[str, np.ndarray], names: Sequence[str], stream: int) -> np.ndarray:
    """Means over the tasks, of seeds drawn anew within each."""
    rng = np.random.default_rng(stream)
    return np.mean([rng.choice(groups[name], (4000, len(groups[name]))).mean(1) for name in names], axis=0)


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    counts = [len({row["seed"] for row in rows if row["parents"] == each}) for each in PARENTS]
    tasks = len({row["task"] for row in rows})
    yield f"{tasks} tasks, {max(counts[1:])} seeds ({counts[0]} of the cold start): mean regret of the best after so many training jobs; in brackets the"
    yield "difference from the cold start, with its 90 % interval (bootstrap over seeds)."
    yield ""
    yield "| kind | parents | " + " | ".join(f"after {n}" for n in BUDGETS) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in BUDGETS) + " |"
    for stream, (condition, (kind, words, _)) in enumerate(PARENTS.items()):
        cells = []
        for n in BUDGETS:
            cold, found = regrets(rows, "cold", n), regrets(rows, condition, n)
            names = sorted(cold.keys() & found.keys())
            if not names:
                break
            mean, before = (float(np.mean([each[name].mean() for name in names])) for each in (found, cold))
            low, high = np.quantile(drawn(found, names, stream) - drawn(cold, names, 99), (0.05, 0.95))
            change = f" ({mean - before:+.3f} [{low:+.3f}, {high:+.3f}])" if condition != "cold" else ""
            cells.append(f"{mean:.3f}{change}")
        if cells:
            yield f"| {kind or '–'} | {words} | " + " | ".join(cells) + " |"


def by_task(rows: Sequence[dict[str, Any]], at: int = 10) -> Iterator[str]:
    names = [name for name in RELATED if any(row["task"] == name for row in rows)]
    yield f"Mean regret after {at} training jobs, task by task (* nothing was chosen on these):"
    yield ""
    yield "| parents | " + " | ".join(f"{name}{'*' if name in HELD_OUT else ''}" for name in names) + " |"
    yield "| --- | " + " | ".join("---" for _ in names) + " |"
    for condition, (kind, words, _) in PARENTS.items():
        found = regrets(rows, condition, at)
        if found:
            means = (f"{found[name].mean():.3f}" if name in found else "–" for name in names)
            yield f"| {words}{' (identical)' if kind == IDENTICAL else ''} | " + " | ".join(means) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=PARENTS, default=list(PARENTS))
    parser.add_argument("--tasks", nargs="+", choices=RELATED, default=list(RELATED))
    parser.add_argument("--to", type=Path, default=SEARCHES, help="where searches are kept, a line each")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.to.read_text().splitlines()] if options.to.exists() else []
    known = {(row["task"], row["parents"], row["seed"]) for row in rows}
    options.to.parent.mkdir(parents=True, exist_ok=True)
    with options.to.open("a") as kept:
        for seed in range(COLD_SEEDS * options.seeds):
            for name in options.tasks:
                for condition in options.only if seed < options.seeds else {"cold"} & {*options.only}:
                    if (name, condition, seed) not in known:
                        row = {"task": name, "parents": condition, "seed": seed}
                        rows.append({**row, "regret": played(name, condition, seed)})
                        kept.write(json.dumps(rows[-1]) + "\n")
                        kept.flush()
    asked = [row for row in rows if row["seed"] < COLD_SEEDS * options.seeds and row["task"] in options.tasks]
    text = "\n".join([*table(asked), "", *by_task(asked)])
    print(text)
    whole = options.tasks == list(RELATED) and options.only == list(PARENTS) and options.to == SEARCHES
    if whole:
        readme = README.read_text()
        before, _, rest = readme.partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
