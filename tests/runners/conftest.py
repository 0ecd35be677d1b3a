"""Builders: a runner with its bell, training jobs in a temporary home, and the only way to wait: for the bell."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest

from alfine.runners.container import ContainerRunner
from alfine.runners.executor import Executor, LocalLaunch, LocalObservation
from alfine.runners.host import Host
from alfine.runners.inline import InlineRunner
from alfine.runners.launch import Launch
from alfine.runners.local_launch import portable_source
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import NO_COUNTS, News, Observation, Point
from alfine.runners.sandbox import SandboxRunner
from tests.missing import need_sandbox
from tests.runners.engines import test_engine, tiny_image

PATIENCE_SECONDS = 40.0
"""How long a test waits for what must come; only a failing test waits that long."""


class Bench:
    """One runner under test and what it takes to see a training job through."""

    def __init__(self, home: Path, make: Callable[[News], Executor], **defaults: object) -> None:
        self.home = home
        self.bell = threading.Event()
        self._make = make
        self._defaults = defaults
        self.runners: list[Executor] = []
        self.renew()

    def set(self, **defaults: object) -> None:
        """What the training jobs to come have in common."""
        self._defaults.update(defaults)

    def renew(self) -> Executor:
        """Another runner object, as after a restart of alfine."""
        self.runner = self._make(lambda *_: self.bell.set())
        self.runners.append(self.runner)
        return self.runner

    def launch(self, name: str = "job-1", code: str | None = None, **settings: object) -> LocalLaunch:
        """A training job; code: the text of its Python script."""
        folder = self.home / "tuning-jobs" / "tuning" / name
        if code is not None:
            source = self.home / "source"
            source.mkdir(exist_ok=True)
            (source / f"{name}.py").write_text(code)
            settings = {"script": Path(f"{name}.py"), "source_dir": source, **settings}
        return LocalLaunch(name=name, folder=folder, **{"grace_seconds": 20.0, **self._defaults, **settings})

    def until(
        self, launch: LocalLaunch, done: Callable[[LocalObservation], object], offset: int = 0
    ) -> list[LocalObservation]:
        """Poll until an observation is what we wait for; all that were seen, so that none of their lines is lost."""
        seen: list[LocalObservation] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            now = self.runner.poll(launch, offset)
            assert now is not None, "the runner never heard of the training job"
            seen.append(now)
            if done(now):
                return seen
            if now.offset == offset:
                self.bell.wait(0.02)
                self.bell.clear()
            offset = now.offset
        pytest.fail(f"{launch.name} didn't come to it within {PATIENCE_SECONDS} s: {seen[-1]}")

    def see_out(self, launch: LocalLaunch) -> tuple[LocalObservation, list[str]]:
        """Start it and wait for its end: the last observation, and all lines."""
        self.runner.start(launch)
        return self.wait(launch)

    def wait(self, launch: LocalLaunch) -> tuple[LocalObservation, list[str]]:
        seen = self.until(launch, lambda now: now.exit is not None)
        return seen[-1], [line for each in seen for line in each.lines]

    def until_true(self, done: Callable[[], bool]) -> None:
        """For what no bell tells of."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline
            self.bell.wait(0.05)

    def until_line(self, launch: LocalLaunch, line: str) -> None:
        self.until(launch, lambda now: line in now.lines)

    def close(self) -> None:
        for runner in self.runners:
            runner.close()


class HostBench(Bench):
    """The host around an executor: it takes portable launches, which have been to JSON and back."""

    def __init__(self, bench: Bench) -> None:
        self.executors = bench
        super().__init__(bench.home, lambda news: Host(bench.home / "tuning-jobs", bench.renew()))
        self.bell = bench.bell

    @property
    def is_inline(self) -> bool:
        return isinstance(self.runner.executor, InlineRunner)

    def folder(self, launch: Launch) -> Path:
        return self.runner.root / launch.tuning_job / launch.name

    def launch(self, name: str = "job-1", code: str | None = None, **settings: object) -> Launch:
        words = {
            key: settings.pop(key)
            for key in ("metrics", "attempt", "retries", "epoch", "leash_seconds")
            if key in settings
        }
        local = self.executors.launch(name, code, **settings)
        source, script = portable_source(local.script, local.source_dir)
        same = {each.name for each in fields(LocalLaunch)} & {each.name for each in fields(Launch)}
        words = {key: getattr(local, key) for key in same - {"script", "channels", "shared"}} | words
        launch = Launch(tuning_job=local.folder.parent.name, source=source, script=script, **words)
        return launch if local.function else Launch.from_json(json.loads(json.dumps(launch.to_json())))

    def wait(self, launch: Launch) -> tuple[Observation, list[Point]]:
        seen = self.until(launch, lambda now: now.exit is not None)
        return seen[-1], [point for each in seen for point in each.points]

    def again(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation:
        """What it says of a training job that has ended, when it is asked once more."""
        return self.runner.poll(launch, offset, counts)

    def log(self, launch: Launch) -> str:
        return self.runner.log(launch, 0, 1 << 20).data.decode()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Bench]:
    """Processes, started cold."""
    bench = Bench(tmp_path, ProcessRunner, warm=False, python=sys.executable)
    yield bench
    bench.close()


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Bench]:
    """Processes, started warm where that is possible."""
    bench = Bench(tmp_path, ProcessRunner, warm=True, python=sys.executable)
    yield bench
    bench.close()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Bench]:
    """Processes in a sandbox each; the folder of the tests plays alfine's home."""
    need_sandbox()
    bench = Bench(tmp_path, partial(SandboxRunner, hidden=[tmp_path]))
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def image() -> str:
    """A small image of this machine's own shell; the test is skipped where no container engine can run it."""
    return tiny_image()


@pytest.fixture
def container(tmp_path: Path, image: str) -> Iterator[Bench]:
    """Containers of the small image, in which a shell stands for the training program."""
    bench = Bench(tmp_path, partial(ContainerRunner, engine=test_engine), image=image)
    yield bench
    bench.close()


@pytest.fixture
def inline(tmp_path: Path) -> Iterator[Bench]:
    """Functions in threads."""
    bench = Bench(tmp_path, InlineRunner)
    yield bench
    bench.close()
