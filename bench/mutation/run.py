"""Do the tests bite? Changes the code in one place at a time, and counts how often the tests notice.

    python bench/mutation/run.py --map          which tests run which lines (once; minutes)
    python bench/mutation/run.py --count 100    a random sample of single changes, the same for the same seed

It works in a copy of the tree, below `.mutation/`. The tests of each change run in a process namespace of their own (bubblewrap), because
changed code may kill processes that it shouldn't. For each change only tests run that run its line: first those of the module's own test file
and the fastest, and, if they notice nothing, the others. A change that makes a test hang counts as noticed. At the end the tests that noticed
something run again without any change: whatever one noticed that fails then as well is tried again without it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from mutants import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".mutation"
MAP = WORK / "map.json"
ROOMS = ("core", "criteria", "store", "jobs")
ENGINE = (
    *(
        "actions",
        "engine",
        "engine_pool",
        "forced_stop",
        "lease_owner",
        "observed_facts",
        "observer",
        "other_writers",
        "own_node",
    ),
    *("ownership", "policy_for", "run", "standstill", "tries", "wake"),
)
"""The modules of jobs that are changed: the rest of the room describes and copies."""
TESTS = (
    *(f"tests/{room}" for room in ("core", "criteria", "contracts", "store", "jobs", "surrogate", "strategies")),
    "tests/api/test_tuner.py",
    "tests/api/test_tune.py",
    "tests/api/test_job_file.py",
    "tests/api/test_import_records.py",
    "tests/cli/test_backup.py",
    "tests/cli/test_reading.py",
    "tests/cli/test_doctor_check.py",
)
"""What the map is made of: tests that run the rooms in their own process. Others would notice more."""

FIRST_TESTS = 40
FIRST_SECONDS = 150
MORE_TESTS = 80
MORE_SECONDS = 120
SLOW_SECONDS = 3.0
"""Seconds from which on a test isn't among the first."""

COVERAGE = """
[run]
dynamic_context = test_function
data_file = {data}
source = {source}
disable_warnings = no-data-collected,module-not-imported,module-not-measured
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change: noticed, hung or survived; by which test, after how many seconds."""

    mutant: Mutant
    outcome: str
    test: str
    tests: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", action="store_true", help="make the map of lines and tests")
    parser.add_argument("--count", type=int, default=100, help="how many changes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of changes in the sample, such as survivors")
    parser.add_argument("--write", type=Path, default=WORK / "outcomes.jsonl", help="where outcomes are written")
    given = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    if given.map or not MAP.exists():
        make_map()
    lines, seconds = json.loads(MAP.read_text())
    tree = copied()
    sample = sample_of(tree, given.count, given.seed)
    numbers = given.only or range(1, len(sample) + 1)
    outcomes: list[Outcome] = []
    tests = Tests(tree)
    with given.write.open("a") as file:
        for number in numbers:
            outcomes.append(outcome := tried(tree, tests, sample[number - 1], lines, seconds))
            file.write(json.dumps({"number": number, **asdict(outcome)}) + "\n")
            file.flush()
            show(number, outcome, outcomes)
    check_tests(tests, outcomes)


def show(number: int, outcome: Outcome, outcomes: Sequence[Outcome]) -> None:
    mutant = outcome.mutant
    noticed = sum(each.outcome != "survived" for each in outcomes)
    print(
        f"{number:3} {outcome.outcome:9} {outcome.seconds:5.0f} s  {mutant.path}:{mutant.line} {mutant.kind}: "
        f"{' '.join(mutant.before.split())[:60]} -> {' '.join(mutant.after.split())[:60]}  [{outcome.test}]  {noticed}/{len(outcomes)}",
        flush=True,
    )


# -- the map -----------------------------------------------------------------------------------------------------------


def make_map() -> None:
    """Run all tests once under coverage, and keep which run which lines, and how long each takes."""
    tree, data, settings, times = copied(), WORK / "coverage.data", WORK / "coverage.rc", WORK / "times.xml"
    source = "\n    ".join(str(tree / "src/alfine" / room) for room in ROOMS)
    settings.write_text(COVERAGE.format(data=data, source=source))
    words = [
        "-m",
        "coverage",
        "run",
        f"--rcfile={settings}",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--junitxml={times}",
    ]
    subprocess.run(inside([*words, *TESTS]), cwd=tree, env=environment(tree), check=False)
    lines, seconds = read_map(tree, data, times)
    if not lines:
        sys.exit("No test ran a line of the changed rooms: there is no map. What pytest said is above.")
    MAP.write_text(json.dumps((lines, seconds)))


def read_map(tree: Path, data: Path, times: Path) -> tuple[dict[str, dict[str, list[str]]], dict[str, float]]:
    """Return the tests by file and line, and the seconds of each test that passed."""
    seconds: dict[str, float] = defaultdict(float)
    broken = set()
    for case in ET.parse(times).iter("testcase"):
        module = case.get("classname", "").replace(".", "/") + ".py"
        test = f"{module}::{case.get('name', '').partition('[')[0]}"
        seconds[test] += float(case.get("time", 0))
        broken |= {test} if any(child.tag in ("failure", "error") for child in case) else set()
    lines: dict[str, dict[str, list[str]]] = {}
    from coverage.numbits import numbits_to_nums

    with sqlite3.connect(data) as connection:
        query = "SELECT path, context, numbits FROM line_bits JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
        for path, context, bits in connection.execute(query):
            module, _, name = context.rpartition(".")
            test = f"{module.replace('.', '/')}.py::{name}"
            if name and test in seconds and test not in broken:
                of_file = lines.setdefault(str(Path(path).relative_to(tree)), {})
                for line in numbits_to_nums(bits):
                    of_file.setdefault(str(line), []).append(test)
    return lines, {test: each for test, each in seconds.items() if test not in broken}


# -- the sample --------------------------------------------------------------------------------------------------------


def sample_of(tree: Path, count: int, seed: int) -> list[Mutant]:
    """Return random changes, the same for the same seed and code."""
    every = [
        mutant
        for room in ROOMS
        for path in sorted((tree / "src/alfine" / room).rglob("*.py"))
        if "migrations" not in path.parts and (room != "jobs" or (path.stem in ENGINE and path.parent.name == "jobs"))
        for mutant in mutants_of(str(path.relative_to(tree)), path.read_text())
    ]
    return random.Random(seed).sample(every, count)


def copied() -> Path:
    """Copy all files that git knows to `.mutation/tree`, and return it: tests read pages, benchmarks and examples, too."""
    tree = WORK / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, files.decode().split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    return tree


# -- one change --------------------------------------------------------------------------------------------------------


def tried(
    tree: Path, tests: Tests, mutant: Mutant, lines: dict[str, dict[str, list[str]]], seconds: dict[str, float]
) -> Outcome:
    """Make a change, run its tests, and take it back."""
    file = tree / mutant.path
    text = file.read_text()
    first, others = tests_for(mutant, lines, seconds)
    begin = time.monotonic()
    file.write_text(mutant.apply(text))
    try:
        outcome, test = tests.noticed_by(first, FIRST_SECONDS)
        if outcome == "survived" and others:
            outcome, test = tests.noticed_by(others, MORE_SECONDS)
    finally:
        file.write_text(text)
    return Outcome(mutant, outcome, test, len(first) + len(others), round(time.monotonic() - begin, 1))


def tests_for(
    mutant: Mutant, lines: dict[str, dict[str, list[str]]], seconds: dict[str, float]
) -> tuple[list[str], list[str]]:
    """Return the tests that run a line, or, where none does (as for constants), those that run anything of its file."""
    of_file = lines.get(mutant.path, {})
    running = of_file.get(str(mutant.line)) or sorted({test for tests in of_file.values() for test in tests})
    stem = Path(mutant.path).stem
    own = [test for test in running if f"test_{stem}.py" in test]
    fast = sorted(
        (test for test in running if seconds[test] < SLOW_SECONDS and test not in own), key=seconds.__getitem__
    )
    first = [*sorted(own, key=seconds.__getitem__)[:FIRST_TESTS], *spread(fast)[:FIRST_TESTS]]
    others = [test for test in sorted(running, key=seconds.__getitem__) if test not in first]
    return first, others[:MORE_TESTS]


def spread(tests: Iterable[str]) -> list[str]:
    """Return tests in turn from each file."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[test.partition("::")[0]].append(test)
    turns = max(map(len, by_file.values()), default=0)
    return [tests[turn] for turn in range(turns) for tests in by_file.values() if turn < len(tests)]


class Tests:
    """Runs tests in a process namespace of their own. A runner that changed code has killed is started again."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._runner: subprocess.Popen[str] | None = None

    def noticed_by(self, tests: Sequence[str], seconds: float) -> tuple[str, str]:
        """Run tests until one fails. Return noticed, hung or survived, and the test."""
        if not tests:
            return "survived", ""
        runner = self._running()
        try:
            print(json.dumps({"tests": list(tests), "seconds": seconds}), file=runner.stdin, flush=True)
            answer = json.loads(runner.stdout.readline())
        except (OSError, ValueError):  # it is gone, and with it all that the tests started
            runner.kill()
            self._runner = None
            return "noticed", "the runner was killed"
        return answer["outcome"], answer["test"]

    def _running(self) -> subprocess.Popen[str]:
        if self._runner is None or self._runner.poll() is not None:
            pipe = subprocess.PIPE
            words = inside([str(Path(__file__).parent / "runner.py")])
            self._runner = subprocess.Popen(
                words, cwd=self._tree, env=environment(self._tree), stdin=pipe, stdout=pipe, text=True
            )
        return self._runner


def inside(words: Sequence[str]) -> list[str]:
    """Return the command that runs Python in a process namespace of its own, with a /tmp of its own."""
    box = [
        "bwrap",
        "--unshare-pid",
        "--die-with-parent",
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--proc",
        "/proc",
    ]
    kept = [
        word for folder in (sys.prefix, Path(__file__).parent, WORK) for word in ("--bind", str(folder), str(folder))
    ]  # they may lie in /tmp
    return [*box, "--tmpfs", "/tmp", *kept, "nice", sys.executable, *words]


def environment(tree: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "ALFINE_"))}
    paths = [str(tree / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def check_tests(runner: Tests, outcomes: Sequence[Outcome]) -> None:
    """Run the tests that noticed something on the unchanged code, and name those that fail there, too."""
    tests = sorted({each.test for each in outcomes if "::" in each.test})
    for begin in range(0, len(tests), 100):
        outcome, test = runner.noticed_by(tests[begin : begin + 100], MORE_SECONDS)
        if outcome != "survived":
            print(f"Without any change: {outcome} {test}. Changes that it noticed must be tried again.")
            return
    print(f"{len(tests)} tests noticed something; without a change all of them pass.")


if __name__ == "__main__":
    main()
