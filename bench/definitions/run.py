"""`python bench/definitions/run.py`: whether the budget of a job with several algorithms goes to the one that pays.

Each group is two or three algorithms on one data set, by the tables of bench/search (some with a part of its rows). A search of 60
training jobs has all of a group's algorithms as definitions; beside it the best algorithm alone, as if one had known it, and each alone
with an even share. Regret: 0 is the best known of all, 1 the median random configuration of all. Prints two tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "search"))

from contestants import _range  # noqa: E402 - of bench/search
from tasks import task  # noqa: E402

GROUPS = {
    "diabetes, rmse": ("diabetes_elastic_5d", "diabetes_forest_4d", "diabetes_xgb_6d"),
    "blobs, log loss": ("blobs_linear_4d", "blobs_mlp_10d", "blobs_xgb_8d"),
    "friedman, rmse": ("friedman_ridge_5d", "friedman_svr_3d"),
    "digits, log loss": ("digits_mlp_8d", "digits_neighbours_4d"),
}
JOBS, BUDGETS = 60, (30, 60)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def loaded(name: str):
    return task(name)


def search(names: Sequence[str], jobs: int, seed: int) -> list[tuple[str, float]]:
    """Algorithm and value of each training job of one tuning job with these algorithms."""
    from alfine.core.facts import Ended, Launched
    from alfine.core.history import History
    from alfine.core.read_spec import read_spec
    from alfine.strategies import strategy_for

    past = History(read_spec(request(names, jobs, seed)), NOW)
    strategy, found = strategy_for(past.spec), []
    for number in range(1, jobs + 1):
        chosen = strategy.ask(past)
        name = (chosen.definition or names[0]).replace("-", "_")  # a definition's name has no _
        table = loaded(name)
        choices = {p["name"]: {str(c): c for c in p["choices"]} for p in table.space if p["type"] == "cat"}
        own = {key: choices[key][str(v)] if key in choices else v for key, v in chosen.hyperparameters.items()}
        found.append((name, table.truth(own)))
        past.record(
            Launched(
                at=NOW,
                number=number,
                name=str(number),
                hyperparameters=chosen.hyperparameters,
                definition=chosen.definition,
            )
        )
        past.record(Ended(at=NOW, number=number, status="Completed", objective=found[-1][1]))
    return found


def request(names: Sequence[str], jobs: int, seed: int) -> dict[str, Any]:
    from alfine.api.job_words import job_request

    each = {
        name: job_request(
            name="search", space={p["name"]: _range(p) for p in loaded(name).space}, metric="loss", max_training_jobs=jobs, seed=seed
        )
        for name in names
    }  # fmt: skip
    first = each[names[0]]
    if len(names) == 1:
        return first
    config = dict(first["HyperParameterTuningJobConfig"])
    for single in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        config.pop(single)
    definitions = [
        {
            **one["TrainingJobDefinition"],
            "DefinitionName": name.replace("_", "-"),
            "TuningObjective": one["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"],
            "HyperParameterRanges": one["HyperParameterTuningJobConfig"]["ParameterRanges"],
        }
        for name, one in each.items()
    ]
    rest = {key: value for key, value in first.items() if key != "TrainingJobDefinition"}
    return {**rest, "HyperParameterTuningJobConfig": config, "TrainingJobDefinitions": definitions}


def played(group: str, seed: int) -> dict[str, Any]:
    """Regrets at the budgets of the three ways, and who got how many training jobs."""
    names = GROUPS[group]
    best = min(names, key=lambda name: loaded(name).best)
    least, median = loaded(best).best, float(np.median([loaded(name).median for name in names]))
    together = search(names, JOBS, seed)
    alone = {name: [value for _, value in search([name], JOBS, seed)] for name in names}

    def regret(values: Sequence[float]) -> float:
        return float(f"{(min(values) - least) / (median - least):.4g}")

    return {
        "group": group,
        "seed": seed,
        "together": [regret([value for _, value in together[:n]]) for n in BUDGETS],
        "the best alone": [regret(alone[best][:n]) for n in BUDGETS],
        "an even share": [regret([v for values in alone.values() for v in values[: n // len(names)]]) for n in BUDGETS],
        "jobs": {name: sum(chosen == name for chosen, _ in together) for name in names},
    }


def tables(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    ways = ("together", "the best alone", "an even share")
    yield "| mean regret after | " + " | ".join(f"{way}, {n}" for n in BUDGETS for way in ways) + " |"
    yield "| --- |" + " --- |" * (len(ways) * len(BUDGETS))
    groups = [group for group in GROUPS if any(row["group"] == group for row in rows)]
    means = {
        group: [
            np.mean([row[way][i] for row in rows if row["group"] == group]) for i in range(len(BUDGETS)) for way in ways
        ]
        for group in groups
    }
    for group in groups:
        yield f"| {group} | " + " | ".join(f"{mean:.3f}" for mean in means[group]) + " |"
    yield "| all | " + " | ".join(f"{mean:.3f}" for mean in np.mean(list(means.values()), axis=0)) + " |"
    yield ""
    yield f"| of {JOBS} training jobs | best known of each | got |"
    yield "| --- | --- | --- |"
    for group in groups:
        names = sorted(GROUPS[group], key=lambda name: loaded(name).best)
        jobs = {name: np.array([row["jobs"][name] for row in rows if row["group"] == group]) for name in names}
        known = ", ".join(f"{name} {loaded(name).best:.3f}" for name in names)
        yield (
            f"| {group} | {known} | " + ", ".join(f"{j.mean():.0f} [{j.min()}–{j.max()}]" for j in jobs.values()) + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--to", type=Path, help="where searches are kept, a line each; those that are there aren't played again"
    )
    options = parser.parse_args()
    rows = []
    if options.to and options.to.exists():
        rows = [json.loads(line) for line in options.to.read_text().splitlines()]
    for seed in range(options.seeds):
        for group in GROUPS:
            if not any((row["group"], row["seed"]) == (group, seed) for row in rows):
                rows.append(played(group, seed))
                if options.to:
                    with options.to.open("a") as kept:
                        kept.write(json.dumps(rows[-1]) + "\n")
    print("\n".join(tables(rows)))


if __name__ == "__main__":
    main()
