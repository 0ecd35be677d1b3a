"""CPU milliseconds of a suggestion by the number of training jobs seen: six hyperparameters, Hartmann's function with noise.

    python bench/search/speed.py                        alfine
    python bench/search/speed.py --peers --write        and its peers, in their environments; writes the table of bench/README.md
    python bench/search/speed.py --only SMAC3 --write   measured again, put in the place of what was found before

One core, BLAS at one thread. Warm: the history grew by one result since the last suggestion, as in a running tuning job; the mean of
16, or of as many as take ten seconds, since many contestants do their work at some suggestions for the next ones, too. Cold: the
first suggestion on that history, as after a restart.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np
from contestants import CONTESTANTS
from report import OURS
from run import ENTRIES, HERE, README, environment, versions
from tasks import Function, from_unit, hartmann

COUNTS = (25, 50, 100, 200, 500, 1000, 2000, 10_000)
OF_PEERS = (100, 500, 2000, 10_000)
PATIENCE = 500  # ms: a contestant that takes longer isn't asked with more results, which would cost it minutes
RESULTS = HERE / "data" / "speed.json"
BEGIN, END = "<!-- speed: written by bench/search/speed.py -->", "<!-- end of speed -->"


def grown(name: str, count: int):
    """A contestant that has seen so many random configurations of Hartmann's function, with noise."""
    task, rng = Function("hartmann_6d"), np.random.default_rng(0)
    contestant = CONTESTANTS[name](task.space, 0, 20_000, 1)
    configurations = [from_unit(task.space, rng.random(6)) for _ in range(count)]
    contestant.observe(configurations, [hartmann(c) + 0.05 * rng.standard_normal() for c in configurations])
    return contestant


def asked(contestant) -> float:
    """Milliseconds of asking and telling."""
    began = time.process_time()
    handle, configuration = contestant.ask()
    asking = time.process_time() - began
    value = hartmann(configuration)
    began = time.process_time()
    contestant.tell(handle, value)
    return 1e3 * (asking + time.process_time() - began)


def measure(name: str, counts) -> None:
    """A line of JSON for each count: (count, cold, warm)."""
    asked(grown(name, 20))  # what it needs is imported
    for count in counts:
        contestant = grown(name, count)
        cold = asked(contestant)
        warm = []
        while len(warm) < 16 and sum(warm) < 10e3:
            warm.append(asked(contestant))
        print(json.dumps([count, cold, statistics.mean(warm)]), flush=True)
        if cold > PATIENCE:
            break


def table(found: dict) -> str:
    def figure(ms):
        return f"{ms:.1f}" if ms < 100 else f"{ms:,.0f}"

    def cell(result, count):
        row = next((row for row in result["ms"] if row[0] == count), None)
        return "–" if row is None else f"{figure(row[2])} ({figure(row[1])})"

    lines = ["|  | " + " | ".join(f"{n:,}" for n in OF_PEERS) + " | measured |", "|---" * (len(OF_PEERS) + 2) + "|"]
    for name, r in found.items():
        when = f"{r['at']}, load {r['load'][0]:g}–{r['load'][1]:g}; {r['with']}"
        lines.append("| " + " | ".join([name, *(cell(r, n) for n in OF_PEERS), when]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contestant", help="measure this one in this process")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.contestant:
        ours = options.contestant.startswith("alfine")
        return measure(options.contestant, COUNTS if ours else OF_PEERS)
    asked_for = options.only or ([OURS] if not options.peers else [e.name for e in ENTRIES])
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for entry in ENTRIES:
        variant = entry.name.startswith("alfine") and entry.name != OURS
        if variant or entry.parallel > 1 or entry.name not in asked_for:
            continue
        if not hasattr(CONTESTANTS[entry.contestant], "observe"):
            continue
        if entry.environment:
            environment(entry.environment)
        using, before = versions(entry), os.getloadavg()[0]
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        command = [entry.python, HERE / "speed.py", "--contestant", entry.contestant]
        done = subprocess.run(command, env={**os.environ, **one}, stdout=subprocess.PIPE, text=True, check=False)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        if not rows:
            print(f"{entry.name} ended with exit status {done.returncode}.", flush=True)
            continue
        print(
            entry.name, *(f"{n:,}: cold {cold:.1f}, warm {warm:.1f}" for n, cold, warm in rows), sep="\n  ", flush=True
        )
        found[entry.name] = {
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "load": [round(before, 1), round(os.getloadavg()[0], 1)],
            "with": ", ".join(f"{package} {version}" for package, version in using.items()),
            "ms": [[n, float(f"{cold:.3g}"), float(f"{warm:.3g}")] for n, cold, warm in rows],
        }
        if options.write:
            kept = {e.name: found[e.name] for e in ENTRIES if e.name in found}
            RESULTS.write_text(json.dumps(kept) + "\n")
            before_it, _, rest = README.read_text().partition(BEGIN)
            README.write_text(f"{before_it}{BEGIN}\n\n{table(kept)}\n\n{END}{rest.partition(END)[2]}")
    return None


if __name__ == "__main__":
    sys.exit(main())
