"""How few training jobs a search needs: alfine and its peers on the same tasks, in one run.

    python bench/search/run.py                    the held-out tasks; writes results.json and the tables of bench/README.md
    python bench/search/run.py --split development --only "alfine Bayesian"     for whoever changes the search; writes nothing
    python bench/search/run.py --quick            two seeds, 25 training jobs, no GP peers; writes nothing
    python bench/search/run.py --only "SMAC3" --write   measured again, put in the place of what was found before
    python bench/search/run.py --render           the tables again, from results.json

A contestant is one process after another (`play.py`), BLAS at one thread, in the peers' own environment where it is a peer.
Regret: 0 is the best known, 1 the median random configuration. Intervals: 90 %, bootstrap over the seeds within each task
(the tasks are what they are: a sentence about other tasks would need more of them).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from tasks import DEVELOPMENT, HELD_OUT

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
README, RESULTS = HERE.parent / "README.md", HERE / "results.json"
PEERS = HERE / ".venv-peers"
PACKAGES = ["optuna==5.0.0", "torch", "scikit-optimize==0.10.2", "smac"]
BEGIN, END = "<!-- search results: written by bench/search/run.py -->", "<!-- end of search results -->"
BUDGETS = (25, 50, 100)


@dataclass(frozen=True)
class Entry:
    """A contestant in a setting. seeds: at most so many, as a peer may take minutes a search."""

    contestant: str
    parallel: int = 1
    seeds: int = 10
    peer: bool = False

    @property
    def name(self) -> str:
        return self.contestant + (f", {self.parallel} at a time" if self.parallel > 1 else "")

    @property
    def python(self) -> str:
        return str(PEERS / "bin" / "python") if self.peer else sys.executable


ENTRIES = (
    Entry("alfine Bayesian"),
    Entry("alfine Random"),
    Entry("Optuna TPE", peer=True),
    Entry("scikit-optimize GP", peer=True, seeds=3),
    Entry("Optuna GP", peer=True, seeds=3),
    Entry("SMAC3", peer=True, seeds=3),
    Entry("alfine Bayesian", parallel=4),
    Entry("Optuna TPE", parallel=4, peer=True),
)


# -- running ---------------------------------------------------------------------------------------------------------


def with_peers() -> bool:
    """The peers' environment, made where it isn't there; False, with a line, where it can't be."""
    if (PEERS / "bin" / "python").exists():
        return True
    print(f"Making an environment for the peers in {PEERS} (some 5 GB, most of it torch) …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", PEERS], check=True)
    done = subprocess.run([PEERS / "bin" / "pip", "install", "--quiet", *PACKAGES], check=False)
    if done.returncode:
        print("The peers can't be installed here; alfine alone is measured.")
    return not done.returncode


def played(entry: Entry, tasks: Sequence[str], seeds: int, jobs: int) -> list[dict]:
    """The searches of one contestant; as many as it got to if it failed on the way."""
    command = [
        entry.python, HERE / "play.py", entry.contestant, "--tasks", *tasks, "--seeds", "0", str(min(seeds, entry.seeds)),
        "--jobs", str(jobs), "--parallel", str(entry.parallel),
    ]  # fmt: skip
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env={**os.environ, **one}, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{entry.name} ended with exit status {done.returncode}.", flush=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def summary(searches: list[dict], jobs: int) -> dict:
    """Per task the regrets at the budgets, (seeds, budgets), and the CPU milliseconds of a suggestion: mean, and of the last ten."""
    budgets = [b for b in BUDGETS if b <= jobs]
    regrets: dict[str, list] = {}
    for each in searches:
        regrets.setdefault(each["task"], []).append([each["regret"][b - 1] for b in budgets])
    cpu = np.array([each["cpu"][:jobs] for each in searches if len(each["cpu"]) >= jobs])
    return {
        "budgets": budgets,
        "regret": regrets,
        "repeated": sum(each["repeated"] for each in searches),
        "ms": [float(f"{1e3 * part.mean():.3g}") for part in (cpu, cpu[:, -10:])] if len(cpu) else None,
    }


# -- tables ----------------------------------------------------------------------------------------------------------


def interval(regret: dict[str, list], column: int) -> tuple[float, float, float]:
    """The mean over tasks of the mean over seeds, and its 90 % bootstrap interval over the seeds."""
    rng, values = np.random.default_rng(0), [np.array(rows)[:, column] for rows in regret.values()]
    drawn = np.mean([v[rng.integers(len(v), size=(2000, len(v)))].mean(1) for v in values], axis=0)
    low, high = np.percentile(drawn, [5, 95])
    return float(np.mean([v.mean() for v in values])), float(low), float(high)


def ranks(results: dict[str, dict], column: int) -> dict[str, float]:
    """Average rank over the tasks, by the mean over seeds; equal means share their rank."""
    from scipy.stats import rankdata

    names = list(results)
    tasks = set.intersection(*(set(r["regret"]) for r in results.values()))
    table = np.array([[np.mean(np.array(results[n]["regret"][t])[:, column]) for n in names] for t in sorted(tasks)])
    return dict(zip(names, rankdata(np.round(table, 6), axis=1).mean(0), strict=True))


def rendered(found: dict) -> str:
    results = found["results"]
    budgets = next(iter(results.values()))["budgets"]
    lines = [
        f"{found['at']}, {found['machine']}. {len(found['tasks'])} tasks held out of all tuning: {', '.join(found['tasks'])}.",
        "",
        "| | seeds | " + " | ".join(f"regret at {b}" for b in budgets) + " | rank at " + "/".join(map(str, budgets)) + " | CPU ms a suggestion: mean, 91st–100th |",
        "|---" * (len(budgets) + 4) + "|",
    ]  # fmt: skip
    sequential = {n: r for n, r in results.items() if "at a time" not in n and len(r["budgets"]) == len(budgets)}
    ranked = [ranks(sequential, i) for i in range(len(budgets))]
    for name, r in results.items():
        seeds = len(next(iter(r["regret"].values())))
        form = "{:.3f} [{:.3f}–{:.3f}]" if seeds > 1 else "{:.3f}"  # one seed says nothing of the others
        cells = [form.format(*interval(r["regret"], i)) for i in range(len(r["budgets"]))]
        cells += ["–"] * (len(budgets) - len(cells))
        rank = " / ".join(f"{each[name]:.1f}" for each in ranked) if name in sequential else "–"
        ms = "–" if r["ms"] is None else f"{r['ms'][0]:g}, {r['ms'][1]:g}"
        lines.append(f"| {name} | {seeds} | {' | '.join(cells)} | {rank} | {ms} |")
    lines += ["", f"Task by task, mean regret at {budgets[-1]} training jobs, one at a time:", ""]
    names = list(sequential)
    lines += ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for task in found["tasks"]:
        means = [np.mean(np.array(sequential[n]["regret"][task])[:, -1]) for n in names]
        best = min(means)
        lines.append(
            f"| {task} | " + " | ".join(f"**{m:.3f}**" if m <= best + 5e-4 else f"{m:.3f}" for m in means) + " |"
        )
    return "\n".join(lines)


def write(found: dict) -> None:
    RESULTS.write_text(json.dumps(found) + "\n")
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n\n{rendered(found)}\n\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=["held-out", "development"], default="held-out")
    parser.add_argument("--only", nargs="+", help="names of contestants, as in the table")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    if options.render:
        return write(json.loads(RESULTS.read_text()))
    tasks = HELD_OUT if options.split == "held-out" else DEVELOPMENT
    jobs, seeds = (25, 2) if options.quick else (options.jobs, options.seeds)
    entries = [e for e in ENTRIES if not options.only or e.name in options.only]
    if options.quick:
        entries = [e for e in entries if e.seeds > 3]
    if any(e.peer for e in entries) and not with_peers():
        entries = [e for e in entries if not e.peer]
    writes = options.split == "held-out" and not options.quick and (options.write or not options.only)
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() and options.only else {"results": {}}
    results = dict(old["results"])
    for entry in entries:
        searches = played(entry, tasks, seeds, jobs)
        if not searches:
            continue
        results[entry.name] = summary(searches, jobs)
        found = {
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}",
            "tasks": list(tasks),
            "results": {e.name: results[e.name] for e in ENTRIES if e.name in results},
        }
        r = results[entry.name]
        print(
            entry.name,
            *("{:.4f} [{:.4f}–{:.4f}]".format(*interval(r["regret"], i)) for i in range(len(r["budgets"]))),
            r["ms"],
            flush=True,
        )
        if writes:
            write(found)
    return None


if __name__ == "__main__":
    main()
