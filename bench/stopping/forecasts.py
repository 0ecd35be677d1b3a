"""How good the forecasts are: on every recorded search, at several points, against what came then.

    python bench/stopping/forecasts.py                   every search of data/searches.jsonl.gz (a minute of one core)
    python bench/stopping/forecasts.py --convergence     with when ConvergenceDetected ends the job (it's asked after each result)
    python bench/stopping/forecasts.py --fit             only fit RECALIBRATED of criteria/forecast.py anew, and say how well it does on
                                                         tasks left out
    python bench/stopping/forecasts.py --step 5          every fifth; not every third or fourth, which would be of a few tasks alone

Scored are the 90 % ranges (how often they hold what came; how often it lay below and above), of what the rest of the budget gained, of how
many more training jobs it took and how long until the job's criteria ended it; the chances of the criteria, by how often the likeliest one
was the one; and the reliability of the probability that the rest
improves the best: by tenths of it, how often it did.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from feeding import fed

HERE = Path(__file__).resolve().parent
BUDGETS = (60, 120, 200)
AT = (12, 20, 35, 60, 100, 150)  # results after which a forecast is made
EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0001)
SHARES = (0.01, 0.003, 0.03)  # of the best, or of the spread where that is more: gains whose probability is asked


def records(path: Path, step: int) -> Iterator[dict]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        yield from (json.loads(line) for number, line in enumerate(lines) if number % step == 0)


def scored(record: dict, budget: int, *, convergence: bool) -> Iterator[dict]:
    """What each forecast said, and what came."""
    from alfine import BestObjectiveNotImproving, ConvergenceDetected
    from alfine.core.verdict import Outlook
    from alfine.criteria.forecast import forecast_of
    from alfine.criteria.future import chance
    from alfine.criteria.improvement import read_evidence, remaining
    from alfine.jobs.policy_for import policy_for

    record = {**record, "rows": record["rows"][:budget]}
    values = np.array([row[1] for row in record["rows"]], dtype=float)
    seconds = np.array([max(row[3], 1e-3) for row in record["rows"]])
    patience = BestObjectiveNotImproving(max(10, budget // 5))
    sets = {"patience": [patience]}
    if convergence:
        sets |= {"convergence": [ConvergenceDetected()], "both": [patience, ConvergenceDetected()]}
    said, ends = [], {}
    for count, history in enumerate(fed(record), 1):
        for name, criteria in sets.items():
            policy = policy_for(history.spec, criteria)
            if name not in ends and policy.verdict(history).outlook is not Outlook.CONTINUE:
                ends[name] = count, policy.verdict(history).criterion
        if count in AT and count < budget:
            own = policy_for(history.spec).criteria
            forecasts = {name: forecast_of(history, (*each, *own)) for name, each in sets.items() if name not in ends}
            evidence = read_evidence(history, remaining(history))[0]
            sizes = [max(share * abs(evidence.best), 0.001 * evidence.spread) for share in SHARES]
            said.append((count, forecasts, [(size, chance(evidence, size)) for size in sizes], evidence.spread))
    for count, forecasts, chances, spread in said:
        gain = float(values[:count].min() - values.min())
        for name, each in forecasts.items():
            end, by = ends.get(name, (budget, "MaxNumberOfTrainingJobs"))
            yield {
                "sampler": record["sampler"], "budget": budget, "count": count, "criteria": name, "gain": gain / spread,
                "said gain": None if each.gain is None else [size / spread for size in each.gain],
                "jobs": end - count, "said jobs": each.training_jobs,
                "seconds": float(seconds[count:end].sum()), "said seconds": each.seconds,
                "by": by, "said by": next(iter(each.chances), None), "chance": next(iter(each.chances.values()), 0.0),
                "chances": [(share, p, gain > size) for share, (size, p) in zip(SHARES, chances, strict=True)],
            }  # fmt: skip


def asked(record: dict, budget: int) -> Iterator[tuple[str, float, float, float, bool]]:
    """Task, horizon, size / S, ConvergenceDetected's probability and whether it came: for gains of many sizes within several horizons."""
    from alfine.criteria.forecast import SIZES
    from alfine.criteria.improvement import read_evidence, remaining

    rows = record["rows"][:budget]
    values = np.array([row[1] for row in rows], dtype=float)
    for count, history in enumerate(fed({**record, "rows": rows}), 1):
        if count not in AT or count >= budget:
            continue
        left = remaining(history)
        evidence = read_evidence(history, left)[0]
        for horizon in sorted({each for each in (5, 20, 60) if each < left} | {left}):
            gain = values[:count].min() - values[count : count + horizon].min()
            for size in SIZES[::2]:
                said = replace(evidence, rem=horizon).probability(size * evidence.spread)
                yield record["task"], horizon, size, said, gain > size * evidence.spread


def fit(rows: list[tuple[str, float, float, float, bool]]) -> None:
    """Logistic regression of what came on (1, x, x^2), x = log10 size, with logit q as its offset; scored on tasks left out."""
    from scipy.optimize import minimize

    tasks = np.array([row[0] for row in rows])
    _, size, said, came = np.array([row[1:] for row in rows], dtype=float).T
    logit = np.log(said / (1.0 - said))
    signals = np.log10(size)[:, None] ** np.arange(3)

    def fitted(chosen: np.ndarray) -> np.ndarray:
        x, y, offset = signals[chosen], came[chosen], logit[chosen]

        def loss(weights: np.ndarray) -> float:
            z = offset + x @ weights
            return float((np.logaddexp(0.0, z) - y * z).mean())

        return minimize(loss, np.zeros(3)).x

    names = sorted(set(tasks))
    fold, left_out = np.array([names.index(task) % 4 for task in tasks]), np.zeros(len(said))
    for number in range(4):
        weights = fitted(fold != number)
        left_out[fold == number] = 1.0 / (1.0 + np.exp(-logit[fold == number] - signals[fold == number] @ weights))
    print("RECALIBRATED =", tuple(round(float(each), 3) for each in fitted(fold >= 0)))
    print(
        f"expected calibration error {calibration_error(said, came):.3f} before, {calibration_error(left_out, came):.3f} after"
    )


def calibration_error(said: np.ndarray, came: np.ndarray) -> float:
    """Of tenths of what was said, the mean difference to what came."""
    tenth = np.minimum((10 * said).astype(int), 9)
    return sum((tenth == t).mean() * abs(said[tenth == t].mean() - came[tenth == t].mean()) for t in set(tenth))


def ranges(rows: list[dict], key: str) -> str:
    """How often a range held what came, and its median width."""
    found = [(row[key], row[f"said {key}"]) for row in rows if row[f"said {key}"] is not None]
    if not found:
        return "– | – | – | – | –"
    came, low, middle, high = np.array([(came, *said) for came, said in found], dtype=float).T
    room = 1e-9 + 0.5 * (key == "jobs")
    below, above = (came < low - room).mean(), (came > high + room).mean()
    return f"{100 * (1 - below - above):.0f} % | {100 * below:.0f} % | {100 * above:.0f} % | {middle.mean():.3g} | {came.mean():.3g}"


def reliability(rows: list[dict]) -> Iterator[str]:
    chances = np.array(
        [chance for row in rows if row["criteria"] == "patience" for chance in row["chances"]], dtype=float
    )
    for share in SHARES:
        _, p, came = chances[chances[:, 0] == share].T
        yield f"\ngain of {100 * share:g} % of the best\n\n| said | forecasts | mean said | came |\n| --- | --- | --- | --- |"
        for low, high in itertools.pairwise(EDGES):
            inside = (low <= p) & (p < high)
            if inside.any():
                yield f"| {low:g} to {min(high, 1):g} | {inside.sum()} | {p[inside].mean():.3f} | {came[inside].mean():.3f} |"
        yield f"\nexpected calibration error {calibration_error(p, came):.3f}, Brier score {np.mean((p - came) ** 2):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=HERE / "data" / "searches.jsonl.gz")
    parser.add_argument("--step", type=int, default=1, help="every so manieth search")
    parser.add_argument("--convergence", action="store_true", help="also score when ConvergenceDetected ends the job")
    parser.add_argument("--fit", action="store_true", help="only fit the recalibration")
    options = parser.parse_args()
    if options.fit:
        found = records(options.file, options.step)
        fit([row for record in found for budget in BUDGETS for row in asked(record, budget)])
        return
    rows = [
        row
        for record in records(options.file, options.step)
        for budget in BUDGETS
        for row in scored(record, budget, convergence=options.convergence)
    ]
    print("| what | of | forecasts | held | below | above | mean said | mean came |\n" + "| --- " * 8 + "|")
    by_sampler = defaultdict(list)
    for row in rows:
        by_sampler[row["sampler"]].append(row)
    one = [row for row in rows if row["criteria"] == "patience"]
    print(f"| gain / spread | all | {len(one)} | {ranges(one, 'gain')} |")
    for sampler, own in sorted(by_sampler.items()):
        mine = [row for row in own if row["criteria"] == "patience"]
        print(f"| gain / spread | {sampler} | {len(mine)} | {ranges(mine, 'gain')} |")
    for what in ("jobs", "seconds"):
        for name in dict.fromkeys(row["criteria"] for row in rows):
            own = [row for row in rows if row["criteria"] == name]
            print(f"| {what} | {name} | {len(own)} | {ranges(own, what)} |")
    right = np.array([(row["chance"], row["by"] == row["said by"]) for row in rows], dtype=float)
    print(
        f"\nThe likeliest criterion was said to end the job with {right[:, 0].mean():.2f}, and did in {right[:, 1].mean():.2f}."
    )
    print("\n".join(reliability(rows)))


if __name__ == "__main__":
    main()
