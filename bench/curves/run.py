"""Searches of training jobs that report on their way: alfine and Optuna on the same recorded curves, in one run.

python bench/curves/run.py                the held-out tasks; writes data/results.jsonl and the tables of bench/README.md
python bench/curves/run.py --resume       goes on where a run was cut short
python bench/curves/run.py --render       the tables again, from data/results.jsonl
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from contestants_of_curves import CONTESTANTS
from curve_tasks import DEVELOPMENT, HELD_OUT, REPORTS
from simulate_reports import MARKS, TRAININGS, WORKERS

HERE = Path(__file__).resolve().parent
README, RESULTS = HERE.parent / "README.md", HERE / "data" / "results.jsonl"
BEGIN, END = "<!-- curve results: written by bench/curves/run.py -->", "<!-- end of curve results -->"
RESAMPLED = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    if not options.render:
        if not options.resume:
            RESULTS.unlink(missing_ok=True)
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        for contestant in CONTESTANTS:
            command = [
                sys.executable,
                HERE.parent / "play.py",
                "curves",
                contestant,
                "--held-out",
                "--seeds",
                "0",
                str(options.seeds),
                "--to",
                RESULTS,
            ]
            subprocess.run(command, env={**os.environ, **one}, check=True)
            print(f"{contestant} is done.", flush=True)
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n\n{rendered(lines)}\n\n{END}{rest.partition(END)[2]}")


def rendered(lines: list[dict]) -> str:
    """The tables, in Markdown."""
    found: dict[str, dict[tuple[str, int], dict]] = defaultdict(dict)
    for line in lines:
        found[line["contestant"]][line["task"], line["seed"]] = line
    found = {name: found[name] for name in CONTESTANTS if name in found}
    seeds = len({line["seed"] for line in lines})
    tasks = [name for name in (*HELD_OUT, *DEVELOPMENT) if any(line["task"] == name for line in lines)]
    setting = f"{REPORTS} reports a training job, {WORKERS} at a time, {TRAININGS} trainings' cost"
    machine = f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}"
    told = [
        f"{len(tasks)} held-out tasks, {seeds} seeds, {setting}. {machine}.",
        "",
        "Mean regret [90 % bootstrap interval over tasks and seeds]; training jobs launched and cut short; CPU ms an ask and a report, beside other work.",
        "",
        "| | best fully trained | best reported anywhere | … fully trained after 10 | 15 | 20 | launched | cut short | would have won | ms an ask | ms a report |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, searches in found.items():
        full, anywhere = (table(searches, tasks, kind, -1) for kind in ("full", "any"))
        earlier = " | ".join(f"{table(searches, tasks, 'full', MARKS.index(mark)).mean():.3f}" for mark in (10, 15, 20))
        mean = {key: np.mean([each[key] for each in searches.values()]) for key in ("launched", "stopped", "missed")}
        ask, report = (1e3 * np.mean([each["cpu"][k] for each in searches.values()]) for k in (0, 1))
        told.append(
            f"| {name} | {interval(full)} | {interval(anywhere)} | {earlier} | {mean['launched']:.0f} | {mean['stopped']:.0f} "
            f"| {mean['missed']:.1f} | {ask:.1f} | {report:.2f} |"
        )
    told += ["", "Task by task, mean regret of the best fully trained training job:", ""]
    told += ["| | " + " | ".join(found) + " |", "| --- |" + " --- |" * len(found)]
    for task in tasks:
        means = [np.mean([s["full"][-1] for (t, _), s in searches.items() if t == task]) for searches in found.values()]
        least = min(means)
        cells = (f"**{m:.3f}**" if m <= least + 5e-4 else f"{m:.3f}" for m in means)
        told.append(f"| {task} | {' | '.join(cells)} |")
    return "\n".join(told)


def table(searches: dict[tuple[str, int], dict], tasks: list[str], kind: str, mark: int):
    """(tasks, seeds) regrets."""
    seeds = sorted({seed for _, seed in searches})
    return np.array([[searches[task, seed][kind][mark] for seed in seeds] for task in tasks])


def interval(values) -> str:
    """The mean, and where it lies with other seeds on other tasks."""
    rng, (n, m) = np.random.default_rng(0), values.shape
    means = [values[rng.integers(n, size=n)[:, None], rng.integers(m, size=(n, m))].mean() for _ in range(RESAMPLED)]
    low, high = np.quantile(means, [0.05, 0.95])
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
