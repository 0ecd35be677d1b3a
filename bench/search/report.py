"""What the searches of run.py come to, as tables.

A result has, by task and seed, the regrets at the budgets it got to: `regret[task][seed] = [at 25, at 50, at 100, at 200]`, or
fewer. Contestants may have different numbers of seeds and budgets, so two are compared on the pairs of task and seed that both
have, and ranks are those of a single search among single searches of the others. Intervals are 90 % bootstrap intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BUDGETS = (25, 50, 100, 200)
OURS = "alfine Bayesian"
SLIGHT = 0.01  # a table has narrow dips that a search finds by luck
FOUR, HIDDEN = ", 4 at a time", ", names hidden"
Regret = Mapping[str, Mapping[str, Sequence[float]]]


def values(regret: Regret, column: int, tasks: Sequence[str]) -> list[np.ndarray] | None:
    """Per task the regrets of its seeds at a budget; None where a task has none."""
    found = [np.array([row[column] for row in regret.get(t, {}).values() if len(row) > column]) for t in tasks]
    return found if all(len(v) for v in found) else None


def mean(per_task: list[np.ndarray]) -> float:
    return float(np.mean([v.mean() for v in per_task]))


def interval(per_task: list[np.ndarray]) -> tuple[float, float] | None:
    """Of the mean over tasks of the mean over seeds, drawing seeds within each task; one seed says nothing of the others."""
    if min(len(v) for v in per_task) < 2:
        return None
    rng = np.random.default_rng(0)
    drawn = np.mean([v[rng.integers(len(v), size=(2000, len(v)))].mean(1) for v in per_task], axis=0)
    return _bounds(drawn)


def ratio(
    ours: Regret, theirs: Regret, column: int, tasks: Sequence[str]
) -> tuple[float, float, float, int, int] | None:
    """Mean regret of one over that of the other, its interval, and how many pairs on how many tasks.

    Both means are over the common pairs of task and seed, tasks weighing the same. The interval draws tasks, and within each
    its seeds: it speaks of tasks like these, and one seed is enough for it.
    """
    pairs = []
    for t in tasks:
        both = [s for s in ours.get(t, {}) if s in theirs.get(t, {})]
        rows = [
            (ours[t][s][column], theirs[t][s][column]) for s in both if min(len(ours[t][s]), len(theirs[t][s])) > column
        ]
        if rows:
            pairs.append(np.array(rows))
    if not pairs:
        return None
    rng = np.random.default_rng(0)
    drawn = np.array([p[rng.integers(len(p), size=(2000, len(p)))].mean(1) for p in pairs])  # (tasks, draws, 2)
    total = np.sum([p.mean(0) for p in pairs], axis=0)
    return (*_quotient(total, drawn, rng), sum(map(len, pairs)), len(pairs))


def ratio_of_all(ours: Regret, theirs: Regret, column: int, tasks: Sequence[str]) -> tuple[float, float, float] | None:
    """As `ratio`, of all seeds of either, where both have every task.

    Seeds have nothing in common but their number: where one contestant has ten and the other one, the pair would throw nine away.
    """
    found = [values(regret, column, tasks) for regret in (ours, theirs)]
    if found[0] is None or found[1] is None:
        return None
    rng = np.random.default_rng(0)
    drawn = np.stack(
        [[v[rng.integers(len(v), size=(2000, len(v)))].mean(1) for v in each] for each in found], axis=-1
    )  # (tasks, draws, 2)
    return _quotient(np.array([sum(v.mean() for v in each) for each in found]), drawn, rng)


def _quotient(total: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """total: (2,) sums over tasks. drawn: (tasks, draws, 2) resampled means of each task; the tasks are drawn here."""
    count, draws, _ = drawn.shape
    sums = drawn[rng.integers(count, size=(count, draws)), np.arange(draws)].sum(0)
    low, high = _bounds(sums[:, 0] / np.maximum(sums[:, 1], 1e-12))
    return float(total[0] / max(total[1], 1e-12)), low, high


def ranks(results: Mapping[str, dict], column: int, tasks: Sequence[str]) -> dict[str, float]:
    """The average rank of a search among one search of each of the others, over tasks and seeds; equal regrets share theirs."""
    found = {n: values(r["regret"], column, tasks) for n, r in results.items()}
    found = {n: [np.round(each, 6) for each in v] for n, v in found.items() if v is not None}

    def behind(a, b) -> float:
        return float((b[None, :] < a[:, None]).mean() + (b[None, :] == a[:, None]).mean() / 2)

    return {
        n: 1 + float(np.mean([sum(behind(v[i], w[i]) for m, w in found.items() if m != n) for i in range(len(tasks))]))
        for n, v in found.items()
    }


def _bounds(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(drawn, [5, 95])
    return float(low), float(high)


# -- tables ----------------------------------------------------------------------------------------------------------


def seeds(result: dict) -> str:
    counts = sorted({len(rows) for rows in result["regret"].values()})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def cell(regret: Regret, column: int, tasks: Sequence[str]) -> str:
    per_task = values(regret, column, tasks)
    if per_task is None:
        return "–"
    bounds = interval(per_task)
    return f"{mean(per_task):.3f}" + (f" [{bounds[0]:.3f}–{bounds[1]:.3f}]" if bounds else "")


def compared(found: tuple[float, float, float, int, int] | None) -> str:
    return "–" if found is None else "{:.2f} [{:.2f}–{:.2f}]".format(*found[:3])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *("| " + " | ".join(row) + " |" for row in rows)]


def standing(results: Mapping[str, dict], tasks: Sequence[str]) -> list[str]:
    """Every contestant: regret at the budgets, rank among those that search one at a time and know names if they can, CPU time."""
    alone = {n: r for n, r in results.items() if FOUR not in n and HIDDEN not in n}
    ranked = [ranks(alone, column, tasks) for column in range(len(BUDGETS))]
    rows = [
        [
            name,
            seeds(r),
            *(cell(r["regret"], column, tasks) for column in range(len(BUDGETS))),
            " / ".join(f"{each[name]:.1f}" if name in each else "–" for each in ranked),
            "–" if r["ms"] is None else f"{r['ms'][0]:g}, {r['ms'][1]:g}",
        ]
        for name, r in results.items()
    ]
    at = "/".join(map(str, BUDGETS))
    among = "/".join(str(len(each)) for each in ranked)
    return table(
        [
            "",
            "seeds",
            *(f"regret at {b}" for b in BUDGETS),
            f"rank at {at}, of {among}",
            "CPU ms a suggestion: mean, last ten",
        ],
        rows,
    )


def against(results: Mapping[str, dict], tasks: Sequence[str]) -> list[str]:
    """Ours against each of the others, one at a time, and the best peer at each budget."""
    ours, unnamed = (results.get(name, {"regret": {}})["regret"] for name in (OURS, OURS + HIDDEN))
    columns, rows, paired, best = range(len(BUDGETS)), [], [], []
    for name, r in results.items():
        if name == OURS or FOUR in name:
            continue
        rows.append([name, *(compared(ratio_of_all(ours, r["regret"], column, tasks)) for column in columns)])
        found = [ratio(ours, r["regret"], column, tasks) for column in columns]
        pairs = sorted({(each[3], each[4]) for each in found if each}, reverse=True)
        paired.append([name, ", ".join(f"{p} on {t}" for p, t in pairs), *map(compared, found)])
    peers = {n: r for n, r in results.items() if FOUR not in n and not n.startswith("alfine")}
    for column, budget in enumerate(BUDGETS):
        means = {n: mean(v) for n, r in peers.items() if (v := values(r["regret"], column, tasks)) is not None}
        if means:
            name = min(means, key=means.__getitem__)
            over = [compared(ratio_of_all(each, peers[name]["regret"], column, tasks)) for each in (ours, unnamed)]
            best.append([str(budget), name, f"{means[name]:.3f}", seeds(peers[name]), *over])
    at = [f"at {b}" for b in BUDGETS]
    return [
        "The best peer at each budget, among those that got that far on every task (goal: at most 0.7 of its regret):",
        "",
        *table(
            ["training jobs", "best peer", "its regret", "its seeds", f"{OURS} over it", "… with names hidden"], best
        ),
        "",
        f"{OURS}'s mean regret over each other's, all seeds of both:",
        "",
        *table(["", *at], rows),
        "",
        "The same on the pairs of task and seed that both have:",
        "",
        *table(["", "pairs", *at], paired),
    ]


def four(results: Mapping[str, dict], tasks: Sequence[str]) -> list[str]:
    rows = []
    for name, r in results.items():
        if (alone := results.get(name.removesuffix(FOUR))) is not None and FOUR in name:
            rows.append([name.removesuffix(FOUR), *(compared(ratio(r["regret"], alone["regret"], column, tasks)) for column in range(len(BUDGETS)))])  # fmt: skip
    return [
        "Four at a time over one at a time, mean regret on the common pairs (goal: at most 1.1):",
        "",
        *table(["", *(f"at {b}" for b in BUDGETS)], rows),
    ]


def by_task(results: Mapping[str, dict], tasks: Sequence[str], column: int) -> list[str]:
    alone = [n for n in results if FOUR not in n]
    rows = []
    for t in tasks:
        found = [values(results[n]["regret"], column, [t]) for n in alone]
        means = [None if v is None else mean(v) for v in found]
        least = min((m for m in means if m is not None), default=0.0)
        rows.append([t, *("–" if m is None else f"**{m:.3f}**" if m <= least + 5e-4 else f"{m:.3f}" for m in means)])
    return [
        f"Task by task, mean regret at {BUDGETS[column]} training jobs, one at a time:",
        "",
        *table(["", *alone], rows),
    ]


def ahead(results: Mapping[str, dict], tasks: Sequence[str]) -> list[str]:
    """By task and budget who is ahead of ours by more than SLIGHT; all seeds of both."""
    rows = []
    for t in tasks:
        cells = []
        for column in range(len(BUDGETS)):
            means = {n: mean(v) for n, r in results.items() if (v := values(r["regret"], column, [t])) is not None}
            ours = means.get(OURS, 0.0)
            cells.append(
                ", ".join(
                    f"{n} {m:.3f} ({len(results[n]['regret'][t])}) to {ours:.3f}"
                    for n, m in means.items()
                    if m < ours - SLIGHT and FOUR not in n and HIDDEN not in n
                )
                or "–"
            )
        if any(cell != "–" for cell in cells):
            rows.append([t, *cells])
    return [
        f"Who is ahead of {OURS} by more than {SLIGHT:g}: mean regret (of so many seeds) to ours:",
        "",
        *table(["", *(f"at {b}" for b in BUDGETS)], rows),
    ]


def measured(results: Mapping[str, dict]) -> list[str]:
    """When, with what, beside what load."""
    lines = []
    for name, r in results.items():
        first, last = r["at"]
        when = first if first == last else f"{first} to {last}"
        load = "load not noted" if r["load"] is None else "load {:g}–{:g}".format(*r["load"])
        lines.append(f"- {name}: {when}, {load}; {r['with']}.")
    return lines


def rendered(found: dict) -> str:
    results, tasks = found["results"], found["tasks"]
    parts = [
        [f"{found['machine']}. {len(tasks)} tasks held out of all tuning: {', '.join(tasks)}."],
        standing(results, tasks),
        *([against(results, tasks), four(results, tasks)] if OURS in results else []),
        *(by_task(results, tasks, column) for column in range(3)),
        *([ahead(results, tasks)] if OURS in results else []),
        ["Measured:", "", *measured(results)],
    ]
    return "\n\n".join("\n".join(part) for part in parts)
