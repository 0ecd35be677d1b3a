"""How often the remarks on a search space are right and wrong: on simulated searches whose truth is known.

    python bench/stopping/space.py                    20 seeds of 80 training jobs (a quarter of an hour on one core)

A search counts for a remark as soon as it was made at any look. In brackets: after how many results, the median.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from alfine import Continuous
from alfine.api.job_words import job_request
from alfine.core.facts import Ended, Launched
from alfine.core.history import History
from alfine.core.read_spec import read_spec
from alfine.jobs.policy_for import policy_for
from alfine.surrogate.space_diagnosis import remarks, rungs

SPACE = {name: Continuous(0.0, 1.5) for name in "abcd"}


def bowl(**centres: float) -> Callable[[dict], float]:
    return lambda x: sum((x[name] - centre) ** 2 for name, centre in centres.items())


# name -> the objective and the standard deviation of its noise
CASES = {
    "pure noise": (lambda _: 0.0, 1.0),
    "the best inside, little noise": (bowl(a=0.5, b=0.9, c=0.6, d=1.0), 0.05),
    "the best inside, much noise": (bowl(a=0.5, b=0.9, c=0.6, d=1.0), 0.3),
    "d without influence": (bowl(a=0.5, b=0.9, c=0.6), 0.05),
    "the best beyond the end of a": (bowl(a=-0.5, b=0.9, c=0.6, d=1.0), 0.05),
    "that of a, and d without influence": (bowl(a=2.0, b=0.9, c=0.6), 0.1),
    "half of a is flat": (
        lambda x: max(0.0, x["a"] - 0.7) ** 2 + bowl(b=0.8, c=0.5)(x) + 0.05 * (x["d"] - 0.5) ** 2,
        0.02,
    ),
}


def told(objective: Callable[[dict], float], noise: float, strategy: str, seed: int, jobs: int) -> dict[str, int]:
    """What was remarked on, and after how many results first."""
    request = job_request(name="space", space=SPACE, strategy=strategy, seed=seed, max_training_jobs=jobs)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    history, rng = History(read_spec(request), now), np.random.default_rng(seed)
    search, found = policy_for(history.spec).strategy, {}
    for number in range(1, jobs + 1):
        values, now = search.ask(history).hyperparameters, now + timedelta(seconds=1)
        history.record(Launched(at=now, number=number, name=str(number), hyperparameters=values))
        value = objective(values) + noise * rng.standard_normal()
        history.record(Ended(at=now, number=number, status="Completed", objective=value))
        for remark in remarks(history) if number in rungs(number) else ():
            found.setdefault(f"{remark.kind} {remark.hyperparameter or ''}".strip(), number)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=80)
    options = parser.parse_args()
    print("| truth | search | remarks, in how many of the searches |\n| --- | --- | --- |")
    for name, (objective, noise) in CASES.items():
        for strategy in ("Random", "Bayesian"):
            counts = defaultdict(list)
            for seed in range(options.seeds):
                for remark, at in told(objective, noise, strategy, seed, options.jobs).items():
                    counts[remark].append(at)
            words = [
                f"{what}: {len(at)} of {options.seeds} ({np.median(at):.0f})" for what, at in sorted(counts.items())
            ]
            print(f"| {name} | {strategy} | {', '.join(words) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
