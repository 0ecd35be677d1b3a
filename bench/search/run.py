"""How few training jobs a search needs: alfine and its peers on the same tasks, in one run.

    python bench/search/run.py                    the held-out tasks; writes data/results.json and the tables of bench/README.md
    python bench/search/run.py --split development --only "alfine Bayesian"     for whoever changes the search; writes nothing
    python bench/search/run.py --quick            two seeds, 25 training jobs, no slow peers; writes nothing
    python bench/search/run.py --only "SMAC3" --write   measured again, put in the place of what was found before
    python bench/search/run.py --resume           goes on where a run was cut short: searches/ has every search that ended
    python bench/search/run.py --render           the tables again, from data/results.json

A contestant is one process after another (`../play.py`), BLAS at one thread, in the peers' own environment where it is a peer:
`.venv-NAME` for `requirements/NAME.txt`, made when it isn't there. Regret: 0 is the best known, 1 the median random configuration.
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
from functools import cache
from pathlib import Path

import numpy as np
from report import BUDGETS, FOUR, mean, rendered, values
from tasks import DEVELOPMENT, HELD_OUT, from_unit, task

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from play import played  # noqa: E402 - bench/play.py

ROOT = HERE.parent.parent
README, RESULTS, SEARCHES = HERE.parent / "README.md", HERE / "data" / "results.json", HERE / "searches"
BEGIN, END = "<!-- search results: written by bench/search/run.py -->", "<!-- end of search results -->"


@dataclass(frozen=True)
class Entry:
    """A contestant in a setting. seeds and jobs: at most so many, as a peer may take minutes a search.

    packages: what it is made of, by the names on the index; the first is looked for before it's played.
    """

    contestant: str
    parallel: int = 1
    seeds: int = 10
    jobs: int = 100
    environment: str | None = None
    packages: tuple[str, ...] = ("alfine", "numpy", "scipy")

    @property
    def name(self) -> str:
        return self.contestant + (FOUR if self.parallel == 4 else "")

    @property
    def python(self) -> Path:
        return HERE / f".venv-{self.environment}" / "bin" / "python" if self.environment else Path(sys.executable)


def peer(contestant: str, *packages: str, environment: str = "peers", **more) -> Entry:
    return Entry(contestant, environment=environment, packages=packages, **more)


ENTRIES = (
    Entry("alfine Bayesian", jobs=200),
    Entry("alfine Bayesian, names hidden"),
    Entry("alfine Random", jobs=200),
    peer("HEBO", "HEBO", "torch", "numpy", environment="hebo", seeds=2),
    peer("BoTorch qLogNEI", "botorch", "gpytorch", "torch", seeds=2),
    peer("Optuna GP", "optuna", "torch", "scipy", seeds=3),
    peer("scikit-optimize GP", "scikit-optimize", "scikit-learn", seeds=2),
    peer("Optuna TPE", "optuna", "numpy", jobs=200),
    peer("SMAC3", "smac", "scikit-learn", seeds=3),
    peer("bayes_opt", "bayesian-optimization", "scikit-learn", seeds=3),
    peer("CMA-ES", "optuna", "cmaes", jobs=200),
    peer("CatCMA", "cmaes", "numpy", jobs=200),
    Entry("alfine Bayesian", parallel=4),
    peer("Optuna GP", "optuna", "torch", "scipy", seeds=2, parallel=4),
    peer("Optuna TPE", "optuna", "numpy", parallel=4),
    peer("CMA-ES", "optuna", "cmaes", parallel=4),
    peer("CatCMA", "cmaes", "numpy", parallel=4),
)


# -- environments ----------------------------------------------------------------------------------------------------


@cache
def environment(name: str) -> None:
    """Makes the environment of requirements/NAME.txt, or brings it up to date; says what can't be installed."""
    requirements, place = HERE / "requirements" / f"{name}.txt", HERE / f".venv-{name}"
    made, wanted = place / "made", requirements.read_text()
    if made.exists() and made.read_text() == wanted:
        return
    print(f"Making an environment for peers in {place} (torch takes most of it) …", flush=True)
    if not (place / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", requirements], check=False).returncode:
        for line in wanted.splitlines():  # one that can't be had shouldn't cost the others
            if line and not line.startswith("#") and subprocess.run([*pip, line], check=False).returncode:
                print(f"{line} can't be installed here.", flush=True)
        return  # tried again next time
    made.write_text(wanted)


def versions(entry: Entry) -> dict[str, str]:
    """Of the entry's packages, in its environment; one that isn't there is left out."""
    code = (
        "import sys, json; from importlib import metadata as m; found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    if not entry.python.exists():
        return {}
    done = subprocess.run([entry.python, "-c", code, *entry.packages], stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def revision() -> str:
    """The commit of the tree that is measured, marked where files of it were changed since."""
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "an unknown revision"


# -- running ---------------------------------------------------------------------------------------------------------


def searches(entry: Entry, tasks: Sequence[str], seeds: int, jobs: int, to: Path) -> list[dict]:
    """The searches of one contestant, with those that `to` has already; as many as it got to if it failed on the way."""
    seeds, jobs = min(seeds, entry.seeds), min(jobs, entry.jobs)
    command = [
        entry.python, HERE.parent / "play.py", "search", entry.contestant, "--tasks", *tasks, "--seeds", "0", str(seeds), "--jobs", str(jobs),
        "--parallel", str(entry.parallel), "--to", to,
    ]  # fmt: skip
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(command, env={**os.environ, **one}, check=False)
    if done.returncode:
        print(f"{entry.name} ended with exit status {done.returncode}.", flush=True)
    return played(to)


def summary(found: list[dict], using: dict[str, str]) -> dict:
    """By task and seed the regrets at the budgets; CPU milliseconds of a suggestion: mean, and of the last ten."""
    regret: dict[str, dict[str, list]] = {}
    for each in found:
        row = [each["regret"][b - 1] for b in BUDGETS if b <= len(each["regret"])]
        regret.setdefault(each["task"], {})[str(each["seed"])] = row
    parts = np.array([[np.mean(each["cpu"]), np.mean(each["cpu"][-10:])] for each in found])
    at, load = [each["at"] for each in found], [each["load"] for each in found]
    return {
        "at": [min(at), max(at)],
        "load": [min(load), max(load)],
        "with": ", ".join(f"{name} {version}" for name, version in using.items()),
        "regret": regret,
        "repeated": sum(each["repeated"] for each in found),
        "ms": [float(f"{1e3 * part:.3g}") for part in parts.mean(0)],
    }


def measured(entry: Entry, tasks: Sequence[str], seeds: int, jobs: int, to: Path, *, resume: bool) -> dict | None:
    """An entry's result; None, with a line, where it can't be played."""
    if entry.environment:
        environment(entry.environment)
    using = versions(entry)
    if entry.packages[0] not in using:
        print(f"{entry.name} is left out: {entry.packages[0]} isn't installed.", flush=True)
        return None
    if not entry.environment:
        using["alfine"] += f" at {revision()}"
    if not resume:
        to.unlink(missing_ok=True)
    ended = searches(entry, tasks, seeds, jobs, to)
    return summary(ended, using) if ended else None


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
    parser.add_argument("--jobs", type=int, default=200, help="at most so many, where a contestant has time for them")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--resume", action="store_true", help="keep the searches that an earlier run got to")
    parser.add_argument("--render", action="store_true")
    options = parser.parse_args()
    if options.render:
        return write(json.loads(RESULTS.read_text()))
    if unknown := set(options.only or ()) - {e.name for e in ENTRIES}:
        parser.error(
            f"no such contestant: {', '.join(sorted(unknown))}; there are {', '.join(e.name for e in ENTRIES)}"
        )
    tasks = HELD_OUT if options.split == "held-out" else DEVELOPMENT
    jobs, seeds = (25, 2) if options.quick else (options.jobs, options.seeds)
    entries = [e for e in ENTRIES if not options.only or e.name in options.only]
    if options.quick:
        entries = [e for e in entries if e.seeds > 3]
    writes = options.split == "held-out" and not options.quick and (options.write or not options.only)
    results = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else {}
    SEARCHES.mkdir(exist_ok=True)
    for name in tasks:  # forests are grown here, whoever plays first: a peer's environment would grow others
        subject = task(name)
        subject.truth(from_unit(subject.space, [0.5] * len(subject.space)))
    for entry in entries:
        kind = ", development" * (tasks is DEVELOPMENT) + ", quick" * options.quick
        r = measured(entry, tasks, seeds, jobs, SEARCHES / f"{entry.name}{kind}.jsonl", resume=options.resume)
        if r is None:
            continue
        results[entry.name] = r
        per_task = [values(r["regret"], column, tasks) for column in range(len(BUDGETS))]
        print(entry.name, *(f"{mean(each):.4f}" if each else "–" for each in per_task), r["ms"], flush=True)
        if writes:
            write({
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
                "tasks": list(tasks),
                "results": {e.name: results[e.name] for e in ENTRIES if e.name in results},
            })  # fmt: skip
    return None


if __name__ == "__main__":
    main()
