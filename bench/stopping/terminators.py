"""Optuna's own terminators on recorded searches, asked every ten training jobs; needs optuna and torch (bench/search/requirements/peers.txt).

    bench/search/.venv-peers/bin/python bench/stopping/terminators.py [--every 3]       every third search; writes data/terminators.json

Optuna has no rule for when a bound is small where there are no folds: 1 % of the best objective is the analogue of the promise here. The
expected minimum model regret (EMMR) has the threshold that Optuna gives it, 1 % of the median of its first values.
"""

from __future__ import annotations

import argparse
import gzip
import json
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
FIRST, STEP = 20, 10


def trials_of(record: dict) -> list:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    kinds = {"float": FloatDistribution, "int": IntDistribution}
    space = {
        p["name"]: CategoricalDistribution(p["choices"])
        if p["type"] == "cat"
        else kinds[p["type"]](p["low"], p["high"], log=p["log"])
        for p in record["space"]
    }

    def inside(configuration):  # rounding may have moved a value past an end
        return {
            k: v if isinstance(space[k], CategoricalDistribution) else min(max(v, space[k].low), space[k].high)
            for k, v in configuration.items()
        }

    study = optuna.create_study()
    for configuration, value, *_ in record["rows"]:
        study.add_trial(optuna.trial.create_trial(params=inside(configuration), distributions=space, value=value))
    return study.trials


def stops(record: dict) -> dict[str, int]:
    from optuna.study import StudyDirection
    from optuna.terminator import EMMREvaluator, MedianErrorEvaluator, RegretBoundEvaluator

    MINIMIZE = StudyDirection.MINIMIZE  # noqa: N806 - the member's name
    trials = trials_of(record)
    values = [trial.value for trial in trials]
    bound, regret = RegretBoundEvaluator(), EMMREvaluator(seed=0)
    error = MedianErrorEvaluator(regret)
    fires = {
        "Optuna's regret bound < 1 %": lambda n: bound.evaluate(trials[:n], MINIMIZE) < 0.01 * abs(min(values[:n])),
        "Optuna's EMMR": lambda n: regret.evaluate(trials[:n], MINIMIZE) < error.evaluate(trials[:n], MINIMIZE),
    }
    counts = range(FIRST, len(trials), STEP)
    return {name: next((count for count in counts if fired(count)), len(trials)) for name, fired in fires.items()}


def main() -> None:
    import optuna

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=3, help="every so manieth search")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with gzip.open(HERE / "data" / "held_out.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines][:: options.every]
    found = []
    for record in records:
        found.append({**{k: record[k] for k in ("task", "sampler", "seed")}, "stops": stops(record)})
        (HERE / "data" / "terminators.json").write_text(
            json.dumps({"optuna": optuna.__version__, "searches": found}) + "\n"
        )
        print(found[-1], np.round(len(found) / len(records), 2), flush=True)


if __name__ == "__main__":
    main()
