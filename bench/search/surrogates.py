"""Which surrogate predicts best: our Gaussian process, forests, a density ratio, and averages of them.

    python surrogates.py [--tasks NAME …] [--seeds 3]

Searches of 100 training jobs are cut off after so many results; from these each model predicts the next eight of the search, and 150
random configurations, in the targets of our surrogate (surrogate/gaussian_process.py). Printed: the mean log density of both, and of the random ones the
rank correlation, and that among their best quarter. Means over tasks, ± the standard error over tasks of the difference from the
first line.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from contestants import Alfine
from scipy.stats import norm, rankdata, spearmanr
from simulate import search
from tasks import DEVELOPMENT, encode, from_unit, task, to_unit

CUTS, NEXT, RANDOM, TREES = (10, 16, 28, 50, 80), 8, 150, 100
FLOOR = 0.02  # variance that a forest is given beside its own: its trees agree on what they know by heart


class Recorded(Alfine):
    """Alfine, which remembers what it tried."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.tried = []

    def ask(self):
        handle, configuration = super().ask()
        self.tried.append(configuration)
        return handle, configuration


def predictions(space, tried, values, points):
    """{model: (mean, variance)}; variance None where a model has only an order to give."""
    from alfine.surrogate.model import model_of
    from alfine.surrogate.threads import one_thread

    known = Alfine(space, 0, 100, 1)
    known.observe([_named(space, c) for c in tried], values)
    with one_thread():
        model = model_of(known.history)
        X = np.array([known.spec.space.to_unit(_named(space, c)) for c in points])
        gp = model.surrogate.posterior(X)
    gp = gp[0], gp[1] + model.surrogate.noise
    y = model.scale.targets(np.array(values))
    Z, Q = (encode(space, np.array([to_unit(space, c) for c in part])) for part in (tried, points))
    found = {"Gaussian process": gp, **{name: forest(make, Z, y, Q) for name, make in FORESTS.items()}}
    found["density ratio (TPE)"] = density_ratio(space, tried, y, points), None
    for name in FORESTS:
        (a, s), (b, t) = gp, found[name]
        found[f"Gaussian process and {name}"] = (a + b) / 2, (s + t) / 2 + (a - b) ** 2 / 4
    return model.scale, found


def _named(space, configuration):
    return {p["name"]: str(configuration[p["name"]]) if p["type"] == "cat" else configuration[p["name"]] for p in space}


def _random_forest():
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(TREES, max_features=5 / 6, min_samples_split=3, random_state=0)  # SMAC's settings


def _extra_trees():
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(TREES, random_state=0)


FORESTS = {"random forest": _random_forest, "extra trees": _extra_trees}


def forest(make, Z, y, Q):
    """Mean and variance over trees."""
    trees = make().fit(Z, y).estimators_
    each = np.array([tree.predict(Q) for tree in trees])
    return each.mean(0), each.var(0) + FLOOR


def density_ratio(space, tried, y, points):
    """The logarithm of g / l, the densities of the others and of the best quarter: Bergstra et al. 2011, coordinate by coordinate.

    Normal kernels over the cube with a uniform one as heavy as one result; Scott's bandwidth, at least .1 of the axis.
    """
    best = np.argsort(y)[: int(np.ceil(len(y) / 4))]
    U, Q = (np.array([to_unit(space, c) for c in part]) for part in (tried, points))
    score = np.zeros(len(Q))
    for sign, rows in ((-1, best), (1, np.setdiff1d(np.arange(len(y)), best))):
        for j, p in enumerate(space):
            if p["type"] == "cat":
                counts = np.bincount(U[rows, j].astype(int), minlength=len(p["choices"])) + 1 / len(p["choices"])
                score += sign * np.log(counts[Q[:, j].astype(int)] / counts.sum())
                continue
            u = U[rows, j]
            width = max(0.1, u.std() * len(u) ** -0.2)
            mass = norm.cdf((1 - u) / width) - norm.cdf(-u / width)
            density = (norm.pdf((Q[:, j, None] - u) / width) / (width * mass)).sum(1)
            score += sign * np.log((density + 1) / (len(u) + 1))
    return score


def scores(scale, found, values):
    """{model: [log density, rank correlation, the same among the best quarter]}."""
    y = scale.targets(values)
    quarter = rankdata(y) <= len(y) / 4
    return {
        name: [
            np.nan if variance is None else norm.logpdf(y, mean, np.sqrt(variance)).mean(),
            _order(mean, y),
            _order(mean[quarter], y[quarter]),
        ]
        for name, (mean, variance) in found.items()
    }


def _order(a, b):
    return 0.0 if len(a) < 3 or np.ptp(a) == 0 else spearmanr(a, b)[0]


def measured(subject, seeds):
    """{(model, cut): (seeds, 4)}: next log density; random log density, rank correlation, the same among the best quarter."""
    out = {}
    for seed in range(seeds):
        made = []

        def make(*arguments, made=made):
            made.append(Recorded(*arguments))
            return made[0]

        search(make, subject, seed, 100, 1)
        tried = [c for c in made[0].tried if c is not None]
        values = np.array([subject.truth(c) for c in tried])
        rng = np.random.default_rng((seed, 7))
        random = [from_unit(subject.space, u) for u in rng.random((RANDOM, len(subject.space)))]
        truth = np.array([subject.truth(c) for c in random])
        for cut in CUTS:
            following = tried[cut : cut + NEXT]
            scale, found = predictions(subject.space, tried[:cut], values[:cut], following + random)
            k = len(following)
            after = scores(
                scale, {n: (m[:k], v if v is None else v[:k]) for n, (m, v) in found.items()}, values[cut : cut + NEXT]
            )
            anywhere = scores(scale, {n: (m[k:], v if v is None else v[k:]) for n, (m, v) in found.items()}, truth)
            for name in found:
                out.setdefault((name, cut), []).append([after[name][0], *anywhere[name]])
    return {key: np.mean(rows, 0) for key, rows in out.items()}


def table(by_task, cuts, models):
    """Lines of a Markdown table, of these cuts."""
    figures = {m: np.array([np.mean([task[m, c] for c in cuts], 0) for task in by_task]) for m in models}
    yield f"| after {', '.join(map(str, cuts))} | next results | random configurations | rank correlation | … of the best quarter |"
    yield "| --- | --- | --- | --- | --- |"
    for m in models:
        if m == models[0]:
            cells = [f"{x:.3f}" for x in figures[m].mean(0)]
        else:
            difference = figures[m] - figures[models[0]]
            error = difference.std(0, ddof=1) / np.sqrt(len(difference))
            cells = [
                "–" if np.isnan(x) else f"{x:+.3f} ± {e:.3f}" for x, e in zip(difference.mean(0), error, strict=True)
            ]
        yield f"| {m} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", nargs="+", default=DEVELOPMENT)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    by_task = [measured(task(name), options.seeds) for name in options.tasks]
    models = list(dict.fromkeys(model for model, _ in by_task[0]))
    for cuts in ((10, 16), CUTS[2:], CUTS):
        print("\n".join(table(by_task, cuts, models)), end="\n\n")


if __name__ == "__main__":
    main()
