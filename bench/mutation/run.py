"""Do the tests bite? Changes the code in one place at a time, and counts how often the tests notice.

    python bench/mutation/run.py --map          which tests run which lines (once; minutes)
    python bench/mutation/run.py --count 100    a random sample of single changes, the same for the same seed
    python bench/mutation/run.py --paths src/alfine/core/ranges.py      of some files alone

It works in copies of the tree, below `.mutation/`, one for each of `--jobs`. The tests of each change run in a process namespace of their own
(bubblewrap), because changed code may kill processes that it shouldn't. For each change only tests run that run its line: first those of the
module's own test file and the quickest, and, if they notice nothing, the others, as long as they take less than a minute together. A change
that makes a test hang counts as noticed. At the end the tests that noticed something run again without any change: whatever one noticed that
fails then as well is tried again without it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    "tests/cli/test_store_copy.py",
    "tests/programs/test_autotune.py",
)
"""What the map is made of: tests that run the rooms in their own process. Others would notice more."""

FIRST_TESTS = 40
"""Of a module's own test file, and of all the others."""
FIRST_SECONDS = 20.0
"""What the first tests may take together, as they took for the map."""
MORE_SECONDS = 40.0
"""What the others may take together."""
PATIENCE = 60.0
"""Seconds after which a test hangs, besides ten times the seconds that the longest one took."""


Lines = dict[str, dict[str, list[str]]]
"""Tests by file and line."""


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
    parser.add_argument("--tests", nargs="*", default=TESTS, help="what the map is made of")
    parser.add_argument("--count", type=int, default=100, help="how many changes; 0 only makes the map")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--paths", nargs="*", help="the files that are changed, if not all")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at once")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of changes in the sample, such as survivors")
    parser.add_argument("--write", type=Path, default=WORK / "outcomes.jsonl", help="where outcomes are written")
    given = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    if given.map or not MAP.exists():
        make_map(given.jobs, given.tests)
    lines, seconds = json.loads(MAP.read_text())
    trees = [copied(f"tree{job}") for job in range(given.jobs)]
    sample = sample_of(trees[0], given.count, given.seed, given.paths)
    numbers = iter(given.only or range(1, len(sample) + 1))
    outcomes: list[Outcome] = []

    def work(tree: Path) -> None:
        tests = Tests(tree)
        for number in numbers:
            outcomes.append(outcome := tried(tree, tests, sample[number - 1], lines, seconds))
            with given.write.open("a") as file:
                file.write(json.dumps({"number": number, **asdict(outcome)}) + "\n")
            show(number, outcome, outcomes)

    with ThreadPoolExecutor(given.jobs) as threads:
        list(threads.map(work, trees))
    check_tests(Tests(trees[0]), outcomes, seconds)


def show(number: int, outcome: Outcome, outcomes: Sequence[Outcome]) -> None:
    mutant = outcome.mutant
    noticed = sum(each.outcome != "survived" for each in outcomes)
    print(
        f"{number:3} {outcome.outcome:9} {outcome.seconds:5.0f} s  {mutant.path}:{mutant.line} {mutant.kind}: "
        f"{' '.join(mutant.before.split())[:60]} -> {' '.join(mutant.after.split())[:60]}  [{outcome.test}]  {noticed}/{len(outcomes)}",
        flush=True,
    )


# -- the map -----------------------------------------------------------------------------------------------------------


def make_map(jobs: int, tests: Sequence[str]) -> None:
    """Run tests once under coverage, and keep which run which lines, and how long each takes."""
    tree, folder = copied("tree"), WORK / "lines"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    source = os.pathsep.join(str(tree / "src/alfine" / room) for room in ROOMS)
    given = {"ALFINE_MAP_FOLDER": str(folder), "ALFINE_MAP_SOURCE": source}
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "line_map", "-n", str(jobs), "--dist", "loadfile"]
    subprocess.run(inside([*words, *tests]), cwd=tree, env={**environment(tree), **given}, check=False)
    lines, seconds = read_map(tree, folder)
    if not lines:
        sys.exit("No test ran a line of the changed rooms: there is no map. What pytest said is above.")
    MAP.write_text(json.dumps((lines, seconds)))


def read_map(tree: Path, folder: Path) -> tuple[Lines, dict[str, float]]:
    """Return the tests by file and line, and the seconds of each test that passed."""
    lines: Lines = {}
    seconds: dict[str, float] = {}
    for part in folder.iterdir():
        of_part, taken = json.loads(part.read_text())
        seconds |= taken
        for path, by_line in of_part.items():
            of_file = lines.setdefault(str(Path(path).relative_to(tree)), {})
            for line, tests in by_line.items():
                of_file.setdefault(line, []).extend(tests)
    return lines, seconds


# -- the sample --------------------------------------------------------------------------------------------------------


def sample_of(tree: Path, count: int, seed: int, paths: Sequence[str] | None = None) -> list[Mutant]:
    """Return random changes of all files, or of some, the same for the same seed and code."""
    files = {str(path.relative_to(tree)): path for room in ROOMS for path in changed_files(tree, room)}
    if unknown := set(paths or ()) - files.keys():
        sys.exit(f"These files are not among those that are changed: {', '.join(sorted(unknown))}.")
    every = [mutant for path in paths or files for mutant in mutants_of(path, files[path].read_text())]
    return random.Random(seed).sample(every, min(count, len(every)))


def changed_files(tree: Path, room: str) -> list[Path]:
    return [
        path
        for path in sorted((tree / "src/alfine" / room).rglob("*.py"))
        if "migrations" not in path.parts and (room != "jobs" or (path.stem in ENGINE and path.parent.name == "jobs"))
    ]


def copied(name: str) -> Path:
    """Copy all files that git knows to a folder of `.mutation`, and return it: tests read pages, benchmarks and examples, too."""
    tree = WORK / name
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for path in filter(None, files.decode().split("\0")):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, tree / path)
    return tree


# -- one change --------------------------------------------------------------------------------------------------------


def tried(tree: Path, tests: Tests, mutant: Mutant, lines: Lines, seconds: dict[str, float]) -> Outcome:
    """Make a change, run its tests, and take it back."""
    file = tree / mutant.path
    text = file.read_text()
    first, others = tests_for(mutant, lines, seconds)
    begin = time.monotonic()
    file.write_text(mutant.apply(text))
    try:
        outcome, test = tests.noticed_by(first, patience_for(first, seconds))
        if outcome == "survived" and others:
            outcome, test = tests.noticed_by(others, patience_for(others, seconds))
    finally:
        file.write_text(text)
    return Outcome(mutant, outcome, test, len(first) + len(others), round(time.monotonic() - begin, 1))


def tests_for(mutant: Mutant, lines: Lines, seconds: dict[str, float]) -> tuple[list[str], list[str]]:
    """Return the tests that run a line, or, where none does (as for constants), those that run anything of its file and the file's own."""
    of_file, file_of_tests = lines.get(mutant.path, {}), f"/test_{Path(mutant.path).stem}.py"
    running = set(of_file.get(str(mutant.line), ()))
    if not running:  # who only reads a constant runs no line of its file
        running = {test for tests in of_file.values() for test in tests} | {t for t in seconds if file_of_tests in t}
    quickest = sorted(running, key=lambda test: (seconds[test], test))
    own = [test for test in quickest if file_of_tests in test]
    of_others = spread(test for test in quickest if test not in own)
    first = within(FIRST_SECONDS, [*own[:FIRST_TESTS], *of_others[:FIRST_TESTS]], seconds)
    return first, within(MORE_SECONDS, (test for test in quickest if test not in first), seconds)


def within(most: float, tests: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """Return the first of some tests, which take no longer than `most` seconds together."""
    kept = []
    for test in tests:
        most -= seconds[test]
        if most < 0:
            break
        kept.append(test)
    return kept


def patience_for(tests: Sequence[str], seconds: dict[str, float]) -> float:
    return PATIENCE + 10 * max((seconds[test] for test in tests), default=0.0)


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

    def noticed_by(self, tests: Sequence[str], patience: float) -> tuple[str, str]:
        """Run tests until one fails, or takes longer than `patience` seconds. Return noticed, hung or survived, and the test."""
        if not tests:
            return "survived", ""
        runner = self._running()
        try:
            print(json.dumps({"tests": list(tests), "patience": patience}), file=runner.stdin, flush=True)
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
        word for folder in (sys.prefix, ROOT) for word in ("--bind", str(folder), str(folder))
    ]  # they may lie in /tmp
    return [*box, "--tmpfs", "/tmp", *kept, "nice", sys.executable, *words]


def environment(tree: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "ALFINE_"))}
    paths = [str(tree / "src"), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def check_tests(runner: Tests, outcomes: Sequence[Outcome], seconds: dict[str, float]) -> None:
    """Run the tests that noticed something on the unchanged code, and name those that fail there, too."""
    tests = sorted({each.test for each in outcomes if each.test in seconds})
    failed = []
    while tests:
        outcome, test = runner.noticed_by(tests, patience_for(tests, seconds))
        if outcome == "survived":
            break
        failed.append(test)
        tests = tests[tests.index(test) + 1 :] if test in tests else []
    for test in failed:
        print(f"Without any change {test} fails, too. Changes that it noticed must be tried again.")
    print(f"{len(failed)} of the tests that noticed something fail without a change.")


if __name__ == "__main__":
    main()
