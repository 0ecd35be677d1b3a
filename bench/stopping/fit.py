"""Fits the weights of ConvergenceDetected, and says how honest its probability is.

    python bench/stopping/fit.py                  cross-validated by task, then on the tasks that were held out; prints the weights
    python bench/stopping/fit.py --from FOLDER    first takes the signals anew from what collect.py recorded, and keeps them in data/signals.npz;
                                                  those of searches that were recorded elsewhere stay as they are

A row is one look at one search: the signals after k training jobs of a budget N, for some eps, and whether the rest of the budget would have
improved the best by more than eps (where values are noisy: the noise-free value of what would be returned). The logistic regression
(L2, standardised) sees each search with the same weight, real tasks with twice that of functions, and searches with hardships with half. What counts is how often the
promise fails where a search would stop: at the first look with p < delta, which is what the tables show. A first crossing picks p's errors to
one side, so that the intercept is moved until, over searches of tasks left out, as many promises fail as were to.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SIGNALS = Path(__file__).resolve().parent / "data" / "signals.npz"
BUDGETS = (50, 100, 200)
SIZES = (0.01, 0.03, 0.1)  # of eps in units of the spread, beside the 1 % of the best that users mean
EVERY = 3  # those at every third check
LADDER = 0.33  # the share of a search's weight that they have
SHOWN = ((50, 0.05), (100, 0.05), (200, 0.05), (200, 0.1), (200, 0.2))  # budgets and deltas
HARDSHIP = 0.5  # of the weight of other searches: failures, four at once, noise
ELSEWHERE = "elsewhere/"  # tasks whose searches aren't collect.py's
FOLDS = 8
REAL = ("table/", "live/", "slice/", ELSEWHERE)
DELTAS = (0.05, 0.1, 0.2)  # at which promises are to fail as often as they may, on average
WANING_FROM = 0.25  # e-folds: between looks nearer to each other, part of the change is chance of the looks
PENALTY = 1.0  # of the L2 term, for a weight of 1 on standardised signals, against searches


@dataclass(frozen=True)
class Looks:
    """Everything known of one search: (n, …) arrays, a row a look."""

    search: dict[str, Any]
    signals: np.ndarray  # (n, m)
    ended: np.ndarray
    budget: np.ndarray
    usual: np.ndarray  # whether eps is the one that users mean
    loss: np.ndarray  # of stopping there, in units of eps
    excess: np.ndarray  # the same in units of 1 % of what the whole budget would return

    @property
    def better(self) -> np.ndarray:
        return self.loss > 1.0

    def group(self) -> str:
        """Searches of one task are in one fold, slices of a table with the table."""
        kind, name, *_ = self.search["task"].split("/")
        return name if kind in ("table", "slice", "elsewhere") else self.search["task"]

    @property
    def weight(self) -> float:
        hard = self.search["parallel"] > 1 or self.search["fail"] or self.search["noise"]
        return (2.0 if self.search["task"].startswith(REAL) else 1.0) * (HARDSHIP if hard else 1.0)

    def weights(self) -> np.ndarray:
        rows = np.where(self.usual, 1.0, LADDER)
        return rows / rows.sum() * self.weight


# -- from recorded searches --------------------------------------------------------------------------------------------


def recorded(folder: Path) -> list[Path]:
    """Of collect.py's plan alone."""
    from collect import name_of, plan

    return [path for each in plan() if (path := folder / f"{name_of(each)}.npz").exists()]


def looks_of(path: Path) -> Looks:
    """What there was to see at the checks of a recorded search."""
    from alfine.criteria.convergence import ConvergenceDetected
    from alfine.criteria.improvement import Evidence

    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    search, values, truth = json.loads(str(kept["search"])), kept["values"], kept["truth"]
    filled = np.where(np.isfinite(values), values, np.inf)
    best = np.minimum.accumulate(filled)
    returned = truth[[int(np.argmax(filled == b)) for b in best]]
    rows = []
    for budget in (b for b in BUDGETS if b <= len(values)):
        for i, k in enumerate(kept["checks"]):
            if k >= budget:
                break
            prospects = kept["prospects"][i].astype(float)
            prospects = prospects[np.isfinite(prospects[:, 0])]
            seen = values[:k][np.isfinite(values[:k])]
            evidence = Evidence(
                values=seen, expected=kept["expected"][i][: len(seen)], k=int(k), rem=int(budget - k), hyperparameters=search["hyperparameters"],
                prospects=prospects if len(prospects) else None, noise=float(kept["noise"][i]), locality=float(kept["locality"][i]),
            )  # fmt: skip
            sizes = [ConvergenceDetected().epsilon_of(evidence)]
            sizes += [size * evidence.spread for size in SIZES] if i % EVERY == 0 else []
            loss = returned[k - 1] - returned[budget - 1]
            percent = 0.01 * abs(returned[budget - 1]) or 1e-300
            for number, eps in enumerate(sizes):
                signals = evidence.signals(eps)
                del signals["intercept"]
                rows.append((list(signals.values()), k, budget, number == 0, loss / eps, loss / percent))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Looks(search, columns[0], *columns[1:])


def keep(looks: list[Looks]) -> None:
    """signals.npz: half precision, which moves p by less than .001."""
    np.savez_compressed(
        SIGNALS,
        searches=json.dumps([each.search for each in looks]),
        rows=[len(each.ended) for each in looks],
        signals=np.concatenate([each.signals for each in looks]).astype(np.float16),
        **{
            name: np.concatenate([getattr(each, name) for each in looks]).astype(kind)
            for name, kind in (("ended", np.uint8), ("budget", np.uint8), ("usual", bool))
        },
        **{
            name: np.clip(np.concatenate([getattr(each, name) for each in looks]), -6e4, 6e4).astype(np.float16)
            for name in ("loss", "excess")
        },
    )


def kept() -> list[Looks]:
    with np.load(SIGNALS) as file:
        ends = np.cumsum(file["rows"])[:-1]
        names = ("signals", "ended", "budget", "usual", "loss", "excess")
        columns = [np.split(file[name], ends) for name in names]
        searches = json.loads(str(file["searches"]))
    for i, column in enumerate(columns):
        kind = bool if names[i] == "usual" else float
        columns[i] = [part.astype(kind) for part in column]
    return [Looks(search, *parts) for search, *parts in zip(searches, *columns, strict=True)]


# -- the model ---------------------------------------------------------------------------------------------------------


def fit(looks: list[Looks]) -> np.ndarray:
    """(m + 1,) the intercept and the weights: Newton's method on the penalised likelihood."""
    signals = np.concatenate([each.signals for each in looks])
    better = np.concatenate([each.better for each in looks]).astype(float)
    weight = np.concatenate([each.weights() for each in looks])
    centre, scale = signals.mean(0), signals.std(0)
    columns = np.column_stack([np.ones(len(signals)), (signals - centre) / scale])
    ridge = PENALTY * np.eye(columns.shape[1])
    ridge[0, 0] = 0.0  # not on the intercept
    theta = np.zeros(columns.shape[1])
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-columns @ theta))
        gradient = columns.T @ (weight * (better - p)) - ridge @ theta
        theta = theta + np.linalg.solve((columns * (weight * p * (1.0 - p))[:, None]).T @ columns + ridge, gradient)
    weights = theta[1:] / scale
    return np.concatenate([[theta[0] - weights @ centre], weights])


def probabilities(theta: np.ndarray, looks: Looks) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(theta[0] + looks.signals @ theta[1:], -500.0, 500.0)))


def wandering(looks: list[Looks], theta: np.ndarray) -> tuple[float, float, float]:
    """WANING, RISE and WALK of the forecasts: how the part of the logit that isn't of time goes on from one look to another.

    A random walk in ln k: its mean and its deviation for each e-fold of training jobs without an improvement, and its rise by one.
    """
    from alfine.criteria.improvement import WEIGHTS

    names = [name for name in WEIGHTS if name != "intercept"]
    other = [names.index(name) for name in names if name not in ("since_rem", "rem_k")]
    folds, change, quiet, far = [], [], [], []
    for each in looks:
        for budget in BUDGETS:
            rows = np.flatnonzero(each.usual & (each.budget == budget))
            i, j = np.triu_indices(len(rows), 1)
            k, part = each.ended[rows], each.signals[rows][:, other] @ theta[1:][other]
            since = np.expm1(each.signals[rows, names.index("since_rem")]) * (budget - k + 1)
            folds.append(np.log(k[j] / k[i]))
            change.append(part[j] - part[i])
            quiet.append(since[j] - since[i] > 0.5 * (k[j] - k[i]))  # half precision
            far.append(j - i > 1)
    x, y, q, f = (np.concatenate(part) for part in (folds, change, quiet, far))
    long = q & (x > WANING_FROM)
    waning = float(y[long].sum() / x[long].sum())
    walk = float(np.sqrt(np.square(y - waning * x)[long].sum() / x[long].sum()))
    return waning, float((y - waning * x)[~q & ~f].mean()), walk


def across_tasks(looks: list[Looks]) -> tuple[list[np.ndarray], float]:
    """The probabilities of each search by weights that were fitted on other tasks; and by how much their logits were lowered for honesty."""
    fold = [zlib.crc32(each.group().encode()) % FOLDS for each in looks]
    thetas = [fit([each for each, f in zip(looks, fold, strict=True) if f != left_out]) for left_out in range(FOLDS)]
    moved = honesty(looks, [probabilities(thetas[f], each) for each, f in zip(looks, fold, strict=True)])
    for theta in thetas:
        theta[0] -= moved
    return [probabilities(thetas[f], each) for each, f in zip(looks, fold, strict=True)], moved


def fitted_weights(looks: list[Looks]) -> tuple[np.ndarray, list[np.ndarray], float]:
    """What improvement.py has; the probabilities by weights from other tasks; and by how much their logits were lowered."""
    left_out, moved = across_tasks(looks)
    theta = fit(looks)
    theta[0] -= moved
    return theta, left_out, moved


def honesty(looks: list[Looks], p: list[np.ndarray]) -> float:
    """What logits must be lowered by for promises to fail as often as they may: the mean of (failed / delta) over budgets and deltas is 1."""
    seen: dict[int, list[tuple[float, np.ndarray, np.ndarray]]] = {budget: [] for budget in BUDGETS}
    for each, q in zip(looks, p, strict=True):
        for budget in BUDGETS:
            rows = np.flatnonzero(each.usual & (each.budget == budget))
            seen[budget].append((each.weight, np.minimum.accumulate(q[rows]), each.better[rows]))

    def failed(budget: int, delta: float, moved: float) -> float:
        bar = 1.0 / (1.0 + (1.0 - delta) / delta * math.exp(-moved))
        made = [
            (weight, better[np.argmax(least < bar)]) for weight, least, better in seen[budget] if (least < bar).any()
        ]
        weight, failures = np.array(made, dtype=float).T
        return float(weight @ failures / weight.sum())

    low, high = -2.0, 2.0
    for _ in range(16):
        middle = 0.5 * (low + high)
        ratios = [failed(budget, delta, middle) / delta for budget, delta in itertools.product(BUDGETS, DELTAS)]
        low, high = (middle, high) if np.mean(ratios) < 1.0 else (low, middle)
    return 0.5 * (low + high)


# -- how honest it is --------------------------------------------------------------------------------------------------


def stop(looks: Looks, p: np.ndarray, budget: int, delta: float) -> tuple[float, float, float, bool]:
    """(share of the training jobs run, loss in eps, loss in percent, whether it stopped at all)."""
    rows = np.flatnonzero(looks.usual & (looks.budget == budget))
    below = rows[p[rows] < delta]
    if not len(below):
        return 1.0, 0.0, 0.0, False
    at = below[0]
    return looks.ended[at] / budget, looks.loss[at], looks.excess[at], True


def reliability(looks: list[Looks], p: list[np.ndarray], budget: int, delta: float) -> str:
    """«jobs run, promises that failed of those made»."""
    stops = np.array(
        [stop(each, q, budget, delta) for each, q in zip(looks, p, strict=True) if (each.budget == budget).any()]
    )
    made = stops[stops[:, 3] > 0]
    failed = 100 * np.mean(made[:, 1] > 1.0) if len(made) else float("nan")
    return f"{100 * stops[:, 0].mean():.0f} %, {failed:.1f} % of {len(made)}"


def calibration_error(looks: list[Looks], p: list[np.ndarray]) -> float:
    """Expected calibration error over all usual looks, in ten bins, each search with the same weight."""
    usual = [each.usual for each in looks]
    q = np.concatenate([each[u] for each, u in zip(p, usual, strict=True)])
    y = np.concatenate([each.better[u] for each, u in zip(looks, usual, strict=True)])
    w = np.concatenate([np.full(u.sum(), 1.0 / u.sum()) for u in usual])
    bins = np.minimum((10 * q).astype(int), 9)
    parts = [np.abs((w * (y - q))[bins == b].sum()) for b in range(10)]
    return float(sum(parts) / w.sum())


GROUPS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "all": lambda s: True,  # noqa: ARG005
    "alfine Bayesian": lambda s: s["sampler"] == "alfine Bayesian" and not s["noise"],
    "Optuna TPE": lambda s: s["sampler"] == "Optuna TPE" and not s["noise"],
    "alfine Random": lambda s: s["sampler"] == "alfine Random" and not s["noise"],
    "four at once": lambda s: s["parallel"] == 4,
    "a tenth fails": lambda s: s["fail"] > 0,
    "noise of a standard error": lambda s: s["noise"] == 1.0,
    "three times that": lambda s: s["noise"] == 3.0,
    "tables and live tasks": lambda s: s["task"].startswith(REAL[:3]) and not s["noise"],
    "functions": lambda s: not s["task"].startswith(REAL) and not s["noise"],
    "recorded elsewhere": lambda s: s["task"].startswith(ELSEWHERE),
}


def tables(looks: list[Looks], p: list[np.ndarray]) -> Iterator[str]:
    yield f"{len(looks)} searches of {len({each.group() for each in looks})} tasks; expected calibration error {calibration_error(looks, p):.3f}"
    yield ""
    heads = [f"N = {budget}, δ = {delta}" for budget, delta in SHOWN]
    yield f"| searches | {' | '.join(heads)} |"
    yield f"| --- | {' | '.join('---' for _ in heads)} |"
    for name, belongs in GROUPS.items():
        chosen = [i for i, each in enumerate(looks) if belongs(each.search)]
        if chosen:
            part = [looks[i] for i in chosen], [p[i] for i in chosen]
            cells = [reliability(*part, budget, delta) for budget, delta in SHOWN]
            yield f"| {name} ({len(chosen)}) | {' | '.join(cells)} |"


def main() -> None:
    from alfine.criteria.improvement import WEIGHTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, help="the folder that collect.py wrote")
    options = parser.parse_args()
    if options.folder:
        theirs = [each for each in kept() if each.search["task"].startswith(ELSEWHERE)]
        keep([looks_of(path) for path in recorded(options.folder)] + theirs)
    looks = kept()
    fitted = [each for each in looks if each.search["fitted"]]
    held_out = [each for each in looks if not each.search["fitted"]]
    theta, left_out, moved = fitted_weights(fitted)
    print(f"Fitted on other tasks, logits lowered by {moved:.3f}:", *tables(fitted, left_out), sep="\n")
    print("\nHeld out:", *tables(held_out, [probabilities(theta, each) for each in held_out]), sep="\n")
    print("\nWEIGHTS = {")
    for name, weight in zip(WEIGHTS, theta, strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
    print("WANING, RISE, WALK =", *(f"{each:.2f}" for each in wandering(looks, theta)))


if __name__ == "__main__":
    main()
