"""A home with recorded jobs for the commands that only read, and what it takes to run a real `alfine`."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import alfine
from alfine.cli import main
from alfine.jobs.home import Home
from alfine.store.records import TuningJob

PATIENCE_SECONDS = 40.0
"""How long a test waits for what must come; only a failing test waits that long."""

SCRIPT = """
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--wait-for", default="")
args, _ = parser.parse_known_args()
print("starting", flush=True)
if args.wait_for:
    import os
    while not os.path.exists(args.wait_for):
        time.sleep(0.02)
for epoch in range(3):
    print(f"epoch {epoch}: loss={(args.x - 0.3) ** 2 + 1 / (epoch + 1):.6f}", flush=True)
"""

JOB = """
script: train.py
metric: loss
strategy: Random
seed: 1
space: {x: {min: 0.0, max: 1.0}}
max_training_jobs: 4
grace_seconds: 5
"""


def until(condition: Callable[[], object], what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)


def alfine_cli(home: Path, *words: str) -> Result:
    """A command in this process."""
    return CliRunner().invoke(main, ["--home", str(home), *words], catch_exceptions=False)


class Folder:
    """A folder with a training script, job files and a home; `start` runs a real alfine there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path / "home"
        self.processes: list[subprocess.Popen[str]] = []
        (path / "train.py").write_text(SCRIPT)

    def job(self, text: str = JOB, name: str = "job.yaml") -> Path:
        (self.path / name).write_text(text)
        return self.path / name

    def start(self, *words: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "alfine", "--home", str(self.home), *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment()
        )
        self.processes.append(process)
        return process

    def run(self, *words: str) -> Result:
        return alfine_cli(self.home, *words)

    def recorded(self, name: str = "job") -> TuningJob:
        with Home(self.home) as home:
            return home.service.get(name)

    def running(self, name: str = "job") -> int:
        """How many training jobs have started and not ended."""
        if not (self.home / "alfine.db").exists():
            return 0
        with Home(self.home) as home:
            known = any(job.name == name for job in home.store.list())
            return (
                sum(job.started_at is not None for job in home.service.history(name).running.values()) if known else 0
            )

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def environment() -> dict[str, str]:
    source = str(Path(alfine.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    found = Folder(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `good` (8 training jobs of a script) and `function` (2 calls); only to be read."""
    path = tmp_path_factory.mktemp("recorded")
    found = Folder(path)
    text = JOB.replace(
        "max_training_jobs: 4", "max_training_jobs: 8\nprice_per_hour: 0.5\nmax_runtime_seconds: 600\nmax_parallel: 2"
    )
    result = found.run("tune", str(found.job(text, "good.yaml")))
    assert result.exit_code == 0, result.output
    space = {"x": alfine.Continuous(0, 1)}
    alfine.tune(lambda hp: hp["x"], space, name="function", strategy="Random", max_training_jobs=2, home=found.home)
    return found.home
