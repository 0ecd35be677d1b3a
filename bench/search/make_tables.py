"""Trains each of `trainings.TRAININGS` on a dense random design and writes the tables: minutes each, once.

    python bench/search/make_tables.py [name …]                 what isn't there yet, or these
    python bench/search/make_tables.py --from FOLDER            takes over tables that were trained elsewhere (same columns)

Rows: a Kronecker sequence all over the space, then configurations that an interpolator of those rows calls the best (so that
the region that a good search ends in was really trained).
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from tasks import TABLES, Table, encode, from_unit, grown, polynomial, to_unit
from trainings import TRAININGS, Training

ROWS, REFINED = {2: 400, 3: 500, 4: 700, 5: 800}, 64
MOST_ROWS = 1000


def cover(count: int, d: int):
    phi = 2.0
    for _ in range(60):
        phi = (1 + phi) ** (1 / (d + 1))
    return (0.5 + np.arange(1, count + 1)[:, None] * phi ** -np.arange(1.0, d + 1)) % 1.0


def trained(training: Training, configurations):
    rows = []
    for c in configurations:
        began = time.process_time()
        losses = training.losses(c)
        losses = [x if np.isfinite(x) else 1e6 for x in losses]
        rows.append((np.mean(losses), np.std(losses), time.process_time() - began))
    return np.array(rows)


def tabulate(training: Training) -> None:
    space, d = training.space, len(training.space)
    count = ROWS.get(d, MOST_ROWS)
    first = [from_unit(space, u) for u in cover(count, d)]
    results = trained(training, first)
    X = np.array([to_unit(space, c) for c in first])
    rng = np.random.default_rng(0)
    for _ in range(2):  # twice half of them: the second half knows what became of the first
        gap = results[:, 0] - results[:, 0].min()
        y = np.log1p(gap / max(np.median(gap) / 2, 1e-12))
        forest = grown(encode(space, X), y)
        best = X[np.argsort(y)[:20]]
        around = [
            from_unit(space, np.clip(_cells(space, b) + 0.1 * rng.standard_normal(d), 0, 1))
            for b in best
            for _ in range(60)
        ]
        around += [from_unit(space, u) for u in rng.random((3000, d))]
        units = np.array([to_unit(space, c) for c in around])
        chosen = np.argsort(forest.predict(encode(space, units)) + 0.02 * rng.standard_normal(len(units)))[
            : REFINED // 2
        ]
        results = np.concatenate([results, trained(training, [around[i] for i in chosen])])
        X = np.concatenate([X, units[chosen]])
    write(training.name, space, X, *results.T, random_rows=count)


def _cells(space, unit):
    """`to_unit`'s row as a point of the cube."""
    return np.array(
        [(u + 0.5) / len(p["choices"]) if p["type"] == "cat" else u for p, u in zip(space, unit, strict=True)]
    )


def write(name, space, X, value, std, seconds, *, random_rows) -> None:
    np.savez_compressed(
        TABLES / f"{name}.npz",
        X=X.astype(np.float32), value=value.astype(np.float32), std=std.astype(np.float16), seconds=seconds.astype(np.float16),
    )  # fmt: skip
    meta = {"name": name, "space": space, "degree": degree_of(space, X, value), "best_known": 0.0, "median_random": 1.0}
    path = TABLES / f"{name}.json"
    path.write_text(json.dumps(meta))
    table, rng = Table(name), np.random.default_rng(1)
    drawn = [from_unit(space, u) for u in rng.random((3000, len(space)))]
    values = table.surface(drawn)[0]
    meta["median_random"] = float(np.median(values))
    meta["best_known"] = float(best_of(table, drawn, values, X, rng))
    meta["trained"] = {"over the space": int(random_rows), "in all": len(X), "best": float(value.min())}
    path.write_text(json.dumps(meta, indent=1) + "\n")
    print(
        name,
        len(X),
        "rows, degree",
        meta["degree"],
        "best",
        meta["best_known"],
        "median",
        meta["median_random"],
        flush=True,
    )


def degree_of(space, X, value) -> int:
    """0: the forest alone; 2: on a quadratic. Whichever predicts a left-out third better, on the logarithm of the gap."""
    gap = value - value.min()
    y, Z = np.log1p(gap / max(np.median(gap) / 2, 1e-12)), encode(space, X)
    left = np.arange(len(y)) % 3 == 0
    errors = []
    for degree in (0, 2):
        trend = np.zeros(len(y))
        if degree:
            P = polynomial(space, Z, degree)
            trend = P @ np.linalg.solve(P[~left].T @ P[~left] + 1e-3 * np.eye(P.shape[1]), P[~left].T @ y[~left])
        predicted = trend[left] + grown(Z[~left], (y - trend)[~left]).predict(Z[left])
        errors.append(float(np.mean((predicted - y[left]) ** 2)))
    return 2 if errors[1] < errors[0] else 0


def best_of(table: Table, drawn, values, X, rng) -> float:
    """The least value of the interpolator, by many rounds of small changes to the best configurations known."""
    space, d = table.space, len(table.space)
    units = np.concatenate(
        [X[np.argsort(table._rows["value"])[:200]], [to_unit(space, drawn[i]) for i in np.argsort(values)[:200]]]
    )
    points = np.array([_cells(space, u) for u in units])
    best = table.surface([from_unit(space, p) for p in points])[0]
    for step in np.repeat([0.2, 0.1, 0.05, 0.02, 0.01], 8):
        order = np.argsort(best, kind="stable")[:60]
        points, best = points[order], best[order]
        moved = np.repeat(points, 10, axis=0)
        mask = rng.random(moved.shape) < max(0.3, 1.5 / d)
        moved = np.clip(np.where(mask, moved + step * rng.standard_normal(moved.shape), moved), 0, 1)
        redrawn = np.array([p["type"] == "cat" for p in space]) & (rng.random(moved.shape) < 0.3)
        moved = np.where(redrawn, rng.random(moved.shape), moved)
        points = np.concatenate([points, moved])
        best = np.concatenate([best, table.surface([from_unit(space, p) for p in moved])[0]])
    return best.min()


def taken_over(folder: Path) -> None:
    for path in sorted(folder.glob("*.json")):
        meta, z = json.loads(path.read_text()), np.load(path.with_suffix(".npz"))
        value = z["value"] if meta["minimize"] else -z["value"]
        space = meta["space"]
        # Their rows hold points of the cube: a category's are numbers of choices already.
        write(meta["name"], space, z["X"].astype(float), value, z["std"], z["seconds"], random_rows=meta["n_sobol"])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    TABLES.mkdir(exist_ok=True)
    if sys.argv[1:2] == ["--from"]:
        taken_over(Path(sys.argv[2]))
    else:
        wanted = sys.argv[1:] or [t.name for t in TRAININGS if not (TABLES / f"{t.name}.json").exists()]
        for training in TRAININGS:
            if training.name in wanted:
                tabulate(training)
