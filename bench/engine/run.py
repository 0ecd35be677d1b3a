"""What an engine costs: alfine, Optuna, Ray Tune, Syne Tune and a bare loop, in one run, interleaved.

    python bench/engine/run.py                  everything (18 minutes on two shared cores); writes data/results.json and bench/README.md's table
    python bench/engine/run.py --only warm      one group (see GROUPS), nothing is written
    python bench/engine/run.py --quick          a round of each with few jobs, nothing is written
    python bench/engine/run.py --only warm --write   … and puts it in the place of what was found before
    python bench/engine/run.py --render         writes the tables again from data/results.json

Each contestant is a process of its own per round (`contestants/`); a round is one run of each, one after the other, and
there are several rounds, so that a neighbour's burst hits all alike. «ms a job» is the time between the ends of the first
and the last training job over the number of jobs between: what an engine needs before its first job is a column of its own.
Ratios are taken within a round. The peers live in bench/.venv-peers, which this program makes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groups import GROUPS, PEERS, SQLITE, Contestant, Group
from report import report, spread

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
README, RESULTS = HERE.parent / "README.md", HERE / "data" / "results.json"
PEER_PACKAGES = {"optuna": "optuna==5.0.0", "ray": "ray[tune]==2.60.0", "syne-tune": "syne-tune==0.16.0"}
BEGIN, END = "<!-- results: written by bench/engine/run.py -->", "<!-- end of results -->"
LIMIT_SECONDS = 400


# ---- one run of one contestant -----------------------------------------------------------------------------------------


def run(group: Group, contestant: Contestant, jobs: int) -> dict[str, Any]:
    """The contestant's answer. Raises RuntimeError with the end of its output when it has none."""
    with tempfile.TemporaryDirectory(prefix="alfine-bench-", ignore_cleanup_errors=True) as folder:
        program = HERE / "contestants" / f"{contestant.program}.py"
        arguments = [contestant.case or group.case, str(jobs), str(group.parallel), folder]
        env = {**os.environ, **contestant.env, "SCRIPT_PYTHON": sys.executable, "SYNETUNE_FOLDER": folder}
        process = subprocess.Popen(
            [contestant.python, str(program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=folder,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise RuntimeError(f"took longer than {LIMIT_SECONDS} s") from None
        lines = [line for line in out.splitlines() if line.startswith('{"called"')]
        if process.returncode or not lines:
            raise RuntimeError(f"exit code {process.returncode}: {err.strip()[-300:]}")
        return json.loads(lines[-1])


def stretch(answer: dict[str, Any], first: int, last: int) -> float | None:
    """From the end of the first to the end of the last, in ms a job; None when it ran fewer."""
    ended = answer["ended"]
    return None if len(ended) < last else (ended[last - 1] - ended[first - 1]) / (last - first) * 1000


def figures(group: Group, answer: dict[str, Any]) -> dict[str, float | None]:
    jobs = len(answer["ended"])
    stretches = group.stretches or ((1, jobs),)
    found = {f"{first}-{last}": stretch(answer, first, last) for first, last in stretches} if group.stretches else {}
    return {
        "ms": stretch(answer, 1, jobs),
        **found,
        "first_s": answer["ended"][0] - answer["called"],
        "cpu_ms": answer["cpu"] / jobs * 1000,
    }


def measure(group: Group, rounds: int, say: Callable[[str], None], *, quick: bool) -> dict[str, Any]:
    """All rounds of a group: for each contestant its figures, one dict a round, or why there are none."""
    runs: dict[str, list[dict[str, Any]]] = {each.name: [] for each in group.contestants}
    skipped: dict[str, str] = {}
    loads = [os.getloadavg()[0]]
    for number in range(rounds):
        for each in group.contestants:
            if each.name in skipped or number >= each.rounds:
                continue
            try:
                jobs = max(3, each.jobs // 10) if quick and each.jobs > 10 else each.jobs
                found = figures(group, run(group, each, jobs))
            except (RuntimeError, OSError) as error:
                skipped[each.name] = str(error)
                say(f"  {each.name}: skipped: {error}")
                continue
            runs[each.name].append(found)
            say(
                f"  round {number + 1}  {each.name:42} {found['ms']:9.2f} ms a job, first after {found['first_s']:.2f} s"
            )
        loads.append(os.getloadavg()[0])
    return {"title": group.title, "runs": runs, "skipped": skipped, "load": loads}


# ---- start-up, size, kill -9 -------------------------------------------------------------------------------------------


def startup(rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Wall seconds of fresh processes, round-robin; the first round warms the page cache and doesn't count."""
    peers = str(PEERS / "bin" / "python")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import alfine": [sys.executable, "-c", "import alfine"],
        "import alfine; alfine.Tuner": [sys.executable, "-c", "import alfine; alfine.Tuner"],
        "import alfine; alfine.tune": [sys.executable, "-c", "import alfine; alfine.tune"],
        "import optuna": [peers, "-c", "import optuna"],
        "from ray import tune": [peers, "-c", "from ray import tune"],
        "from syne_tune import Tuner": [peers, "-c", "from syne_tune import Tuner"],
        "alfine --help": [str(Path(sys.executable).parent / "alfine"), "--help"],
        "optuna --help": [str(PEERS / "bin" / "optuna"), "--help"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    loads = [os.getloadavg()[0]]
    for number in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            try:
                subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd="/")
            except (OSError, subprocess.CalledProcessError):
                continue
            if number:
                seconds[name].append(time.perf_counter() - start)
    loads.append(os.getloadavg()[0])
    for name, each in seconds.items():
        say(f"  {name:30} {spread(each, 3)} s")
    return {"seconds": seconds, "load": loads}


def install_size(say: Callable[[str], None]) -> dict[str, float]:
    """MB of a fresh environment with `pip install .`, less those of an empty one, bytecode included."""
    with tempfile.TemporaryDirectory(prefix="alfine-bench-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        empty = megabytes(Path(folder))
        command = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(ROOT)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        packages = next(Path(folder, "lib").iterdir()) / "site-packages"
        sizes = {
            path.name: megabytes(path)
            for path in packages.iterdir()
            if path.is_dir() and not path.name.startswith("pip")
        }
        largest = dict(sorted(sizes.items(), key=lambda pair: -pair[1])[:7])
        compiled = sum(path.lstat().st_blocks for path in packages.rglob("*.pyc")) * 512 / 1e6
        found = {"base install": megabytes(Path(folder)) - empty, "bytecode in it": compiled, **largest}
    say("  " + ", ".join(f"{name} {size:.0f} MB" for name, size in found.items()))
    return found


def megabytes(folder: Path) -> float:
    return sum(path.lstat().st_blocks for path in folder.rglob("*")) * 512 / 1e6


KILLED = (
    Contestant("alfine", "alfine_engine", 2),
    Contestant("Optuna SQLite + subprocess", "optuna_engine", 2, SQLITE),
    Contestant("Syne Tune LocalBackend", "syne_engine", 2),
    Contestant("Ray Tune + subprocess", "ray_engine", 2),
)


def kill_nine(say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """SIGKILL to a driver with two scripts of ten seconds running; who lives on, and what the records say afterwards."""
    found = {}
    for each in KILLED:
        try:
            found[each.name] = _killed(each)
        except (RuntimeError, OSError) as error:
            found[each.name] = {"skipped": str(error)}
        say(f"  {each.name}: {found[each.name]}")
    return found


def _killed(contestant: Contestant) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="alfine-bench-", ignore_cleanup_errors=True) as folder:
        marks = Path(folder, "marks")
        marks.mkdir()
        env = {"MARKS": str(marks), "SCRIPT_PYTHON": sys.executable, "SYNETUNE_FOLDER": folder}
        program = HERE / "contestants" / f"{contestant.program}.py"
        command = [contestant.python, str(program), "ten_seconds", "2", "2", folder]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True, "cwd": folder}
        everything = {**os.environ, **contestant.env, **env}
        driver = subprocess.Popen(command, env=everything, start_new_session=True, **quiet)
        try:
            _wait(lambda: len(_pids(marks, "started")) == 2 or driver.poll() is not None, 60, "two training jobs run")
            if driver.poll() is not None:
                raise RuntimeError(f"its driver ended by itself with exit code {driver.returncode}")
            time.sleep(2)
        finally:
            driver.kill()
            driver.communicate()
        time.sleep(3)
        alive = sum(Path(f"/proc/{pid}").exists() for pid in _pids(marks, "started"))
        answer: dict[str, Any] = {"alive 3 s later": alive}
        if contestant.program == "alfine_engine":  # the same call again: it goes on
            again = subprocess.run(
                command, env=everything, check=False, timeout=60, **{**quiet, "stderr": subprocess.PIPE}
            )
            if again.returncode:
                raise RuntimeError(f"called again it failed: {again.stderr.strip()[-200:]}")
            answer["after the same call again"] = f"{len(json.loads(again.stdout)['ended'])} training jobs Completed"
        time.sleep(max(0.0, 12 - 5) if alive and contestant.program != "alfine_engine" else 0)
        if contestant.env == SQLITE:
            code = f"import optuna; print([t.state.name for t in optuna.load_study(study_name='bench', storage='sqlite:///{folder}/optuna.db').trials])"
            shown = subprocess.run([contestant.python, "-c", code], check=True, **quiet)
            answer["its records, once they ended"] = shown.stdout.strip()
        return answer | {"started": len(_pids(marks, "started")), "got to their end": len(_pids(marks, "ended"))}


def _pids(marks: Path, what: str) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in marks.glob(f"{what}-*")]


def _wait(until: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


# ---- the peers' environment --------------------------------------------------------------------------------------------


def install_peers(say: Callable[[str], None]) -> None:
    """Make the peers' environment; a peer that can't be installed is left out, with a line."""
    if not (PEERS / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
    (PEERS / ".gitignore").write_text("*\n")
    known = versions(PEERS / "bin" / "python", list(PEER_PACKAGES))
    for name, requirement in PEER_PACKAGES.items():
        if name not in known:
            say(f"Installing {requirement} …")
            pip = [
                str(PEERS / "bin" / "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                requirement,
            ]
            if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
                say(f"{name} can't be installed here: it is left out.")


def versions(python: Path | str, packages: Sequence[str]) -> dict[str, str]:
    code = (
        "import sys, json, importlib.metadata as m\nfound = {}\nfor name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n    except m.PackageNotFoundError: pass\nprint(json.dumps(found))"
    )
    return json.loads(subprocess.run([str(python), "-c", code, *packages], stdout=subprocess.PIPE, check=True).stdout)


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def revision() -> str:
    """The commit of the alfine that is measured, and how many of its files differ from it; "" where that can't be told."""
    code = "import alfine; print(alfine.__path__[0])"
    folder = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    git = ["git", "-C", folder]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*git, "status", "--short", "."], capture_output=True, text=True, check=False).stdout
    return f"{head.stdout.strip()}, {len(changed.splitlines())} files changed" if head.returncode == 0 else folder


def write_readme(text: str) -> None:
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def measured(wanted: Sequence[str], rounds: int | None, say: Callable[[str], None], *, quick: bool) -> dict[str, Any]:
    """Everything that data/results.json holds."""
    install_peers(say)
    seen = versions(
        sys.executable, ["alfine", "numpy", "scipy", "SQLAlchemy", "scikit-learn", "xgboost", "xgboost-cpu"]
    )
    seen |= versions(PEERS / "bin" / "python", list(PEER_PACKAGES))
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    found: dict[str, Any] = {"at": at, "revision": revision(), "machine": machine(), "versions": seen, "groups": {}}
    began = os.getloadavg()[0]
    for name, group in GROUPS.items():
        if name in wanted:
            say(f"{group.title} (load {os.getloadavg()[0]:.1f})")
            found["groups"][name] = measure(group, 1 if quick else rounds or group.rounds, say, quick=quick)
    if "startup" in wanted:
        say("Start-up")
        found["startup"] = startup(1 if quick else 9, say)
    if "install" in wanted and not quick:
        say("Base install")
        found["install"] = install_size(say)
    if "kill" in wanted:
        say("kill -9 of the driver")
        found["kill"] = kill_nine(say)
    found["load"] = [began, os.getloadavg()[0]]
    return found


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What was found before, with what was measured again in its place, and a note that says so."""
    again = [name for name in (*GROUPS, "startup", "install", "kill") if name in now or name in now["groups"]]
    extras = {name: now[name] for name in again if name in now}
    note = {"what": again, "at": now["at"], "load": now["load"], "revision": now["revision"]}
    notes = [each for each in before.get("again", []) if not set(each["what"]) <= set(again)]
    return {**before, **extras, "groups": {**before["groups"], **now["groups"]}, "again": [*notes, note]}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    extras = ("startup", "install", "kill")
    parser.add_argument("--only", nargs="+", choices=[*GROUPS, *extras], help="these groups; nothing is written")
    parser.add_argument(
        "--write", action="store_true", help="with --only: replace these groups in what was written before"
    )
    parser.add_argument("--quick", action="store_true", help="one round with few jobs; nothing is written")
    parser.add_argument("--rounds", type=int, help="of each group, instead of its own number")
    parser.add_argument(
        "--render", action="store_true", help="write the tables again from data/results.json; nothing is measured"
    )
    options = parser.parse_args()
    if options.render:
        write_readme(report(json.loads(RESULTS.read_text(encoding="utf-8"))))
        return 0
    wanted = options.only or [*GROUPS, *extras]
    found = measured(wanted, options.rounds, lambda text: print(text, flush=True), quick=options.quick)
    text = report(found)
    print("\n" + text)
    if options.write or not (options.only or options.quick):
        if options.only:
            found = merged(json.loads(RESULTS.read_text(encoding="utf-8")), found)
            text = report(found)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        write_readme(text)
        print(f"Written: {RESULTS}, {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
