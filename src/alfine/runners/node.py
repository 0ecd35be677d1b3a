"""The node: all hosts of one machine that training jobs are placed on, for a slot actor of Ray or any other placement.

It is made from a folder alone, imports only the standard library, and keeps no state that only it has: a node object that is made after a
crash, on the same machine with the same folder, finds every training job that an earlier one started.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from alfine.runners.ended_folders import EndedFolders
from alfine.runners.executor import Executor
from alfine.runners.host import Host
from alfine.runners.launch import Launch
from alfine.runners.node_cache import ANY, CacheLimits
from alfine.runners.node_fetches import FETCHES, Fetches, Inputs, names_objects, without_inputs
from alfine.runners.process import ProcessRunner
from alfine.runners.protocol import NO_COUNTS, LogPiece, Observation, Point
from alfine.runners.storage.locations import Buckets

POINTS_SECONDS = 0.5
"""Time between two answers of `Node.news` that have nothing but new points: at most twice a second."""

BEGIN_SECONDS = 0.25
"""How long the beginning of a training job is held back for its first values or its end, which then are told with it, in one answer."""

FIRST_POINTS_SECONDS = 0.01
"""How long its first values are held back for its end: a short training job is one answer."""

TROUBLE = ".trouble"
"""The file that says why something couldn't be removed when the machine was tidied last."""

LOOK_SECONDS = 1.0
"""Longest time between two looks at training jobs of which nobody tells news: those that an earlier process started."""

FIRST_LOOK_SECONDS = 0.01
"""Shortest time between two looks, just after a training job was started, so that its first points are told at once."""

LOOK_SHARE = 0.1
"""Time between two looks as a share of the time since the last start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question about one training job: what is new of it; see `Runner.poll`.

    Attributes:
        launch: The training job.
        offset: The offset of the last observation that the asker has.
        counts: How many values of each metric it has.
        started: Whether it knows that the training job has begun.
    """

    launch: Launch
    offset: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    started: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNews:
    """The answer to a question about one training job.

    Attributes:
        name: The training job's name.
        observation: See `Runner.poll`. None: the attempt was never started here, or there is an error.
        error: What keeps the node from going on with it at present; "" where nothing does.
    """

    name: str
    observation: Observation | None
    error: str = ""


class Node:
    """The hosts of this machine, one for each executor; each is made when it is first needed.

    Args:
        root: The folder for its training jobs.
        buckets: Where s3:// URIs lead. None: nowhere, so that nothing is stored.
        inputs: Fetches code and data that a launch names at s3:// URIs. None: such a launch can't be started.
        limits: The limits of what is kept of fetched code and data.
        ended: Keeps the folders of training jobs that have ended within limits. None: they stay.
        executors: Makes the executors, by name, from what they are to call for news; None stands for those of alfine.
    """

    def __init__(
        self,
        root: str | Path,
        buckets: Buckets | None = None,
        *,
        inputs: Inputs | None = None,
        limits: CacheLimits = ANY,
        ended: EndedFolders | None = None,
        executors: Mapping[str, Callable[[Callable[[str, str], None]], Executor]] | None = None,
    ) -> None:
        self.root = Path(root)
        self._buckets = buckets
        self._began_at = -math.inf
        self._executors = executors or _executors(self.root)
        self._hosts: dict[str, Host] = {}
        self._ended = ended or EndedFolders(self.root, ANY, "")
        self._fetches = Fetches(inputs, self.root, buckets, self._ring, limits)
        self._mutex = threading.Lock()
        self._rung = threading.Event()
        self._told_points_at = 0.0

    def start(self, launch: Launch) -> None:
        """See `Runner.start`."""
        self._began_at = time.monotonic()
        self._ended.claim(launch.tuning_job)
        if not names_objects(launch):
            self._host(launch).start(launch)
        elif self._host(launch).poll(without_inputs(launch), 0) is None:
            self._fetches.begin(launch, self._host(launch).start)

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation | None:
        """See `Runner.poll`."""
        if self._fetches.is_fetching(launch):
            return Observation(offset=offset, pending=FETCHES)
        return self._host(launch).poll(without_inputs(launch), offset, counts)

    def stop(self, launch: Launch) -> None:
        """See `Runner.stop`."""
        self._host(launch).stop(without_inputs(launch))

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """See `Runner.log`."""
        piece = self._host(launch).log(launch, begin, most)
        return (
            piece if piece.size else replace(piece, is_gone=not (self.root / launch.tuning_job / launch.name).exists())
        )

    def beyond_limits(self) -> Sequence[tuple[str, str]]:
        """Return the training jobs whose folders are to go: see `EndedFolders.beyond_limits`."""
        return self._ended.beyond_limits()

    def tidy(self, may_go: Sequence[tuple[str, str]]) -> str:
        """Remove what is beyond the limits: folders of training jobs, and code and data that were fetched.

        Args:
            may_go: Training jobs from `beyond_limits` whose ends are recorded.

        Returns:
            Why something can't be removed; "" where all is. It is noted for `trouble`, too.
        """
        troubles = self._ended.remove(may_go), self._fetches.cache.sweep_if_due()
        trouble = " ".join(filter(None, troubles))
        if trouble:
            (self.root / TROUBLE).write_text(trouble, encoding="utf-8")
        else:
            (self.root / TROUBLE).unlink(missing_ok=True)
        return trouble

    @property
    def trouble(self) -> str:
        """Return why something couldn't be removed when this machine was tidied last, by whichever process; "" where all was."""
        try:
            return (self.root / TROUBLE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """See `Runner.close`."""
        for host in list(self._hosts.values()):
            host.close()

    def news(self, asked: Sequence[Asked], wait: float) -> Sequence[NodeNews]:
        """Return what is new of training jobs, once there is something; answers without news are left out.

        Where there is nothing but new points, they are collected until half a second after the last such answer.

        Args:
            asked: The training jobs, with what the asker knows.
            wait: Seconds after which it returns with nothing new.
        """
        until, soon = time.monotonic() + wait, math.inf
        followed = [_Followed(question) for question in asked]
        while True:
            self._rung.clear()
            urgent = [each.look(self) for each in followed]
            answers = [each.answer for each in followed if each.answer is not None]
            now = time.monotonic()
            soon = min(soon, now + min((each.held_seconds for each in followed), default=math.inf))
            due = min(until, self._told_points_at + POINTS_SECONDS if math.isinf(soon) else soon)
            if answers and (any(urgent) or now >= due):
                self._told_points_at = now
                return answers
            if now >= until:
                last = [each.answer or each.moved for each in followed]
                return [answer for answer in last if answer is not None]
            look = min(LOOK_SECONDS, max(FIRST_LOOK_SECONDS, LOOK_SHARE * (now - self._began_at)))
            self._rung.wait(min(look, (due if answers else until) - now))

    def _host(self, launch: Launch) -> Host:
        with self._mutex:
            host = self._hosts.get(launch.executor)
            if host is None:
                executor = self._executors[launch.executor](self._ring)
                if isinstance(executor, ProcessRunner):
                    executor.apart = True
                host = Host(self.root, executor, news=self._ring, buckets=self._buckets)
                self._hosts[launch.executor] = host
        return host

    def _ring(self, tuning_job: str, training_job: str) -> None:  # noqa: ARG002 - whoever waits looks at all it asked for
        self._rung.set()


class _Followed:
    """A training job that is looked at until there is something to tell of it."""

    def __init__(self, asked: Asked) -> None:
        self._launch, self._started = asked.launch, asked.started
        self._offset, self._counts = asked.offset, dict(asked.counts)
        self._points: list[Point] = []
        self.answer: NodeNews | None = None
        self.moved: NodeNews | None = None
        self.held_seconds = math.inf  # how long its beginning is held back

    def look(self, node: Node) -> bool:
        """Look at it, and return whether what there is to tell can't be held back."""
        try:
            seen = node.poll(self._launch, self._offset, self._counts)
        except Exception as error:  # noqa: BLE001 - the asker is told
            self.answer = NodeNews(name=self._launch.name, observation=None, error=f"{type(error).__name__}: {error}")
            return True
        if seen is None:
            self.answer = NodeNews(name=self._launch.name, observation=None)
            return True
        self._points += seen.points
        self._counts |= {point.name: point.count for point in seen.points}
        moved, self._offset = seen.offset != self._offset, seen.offset
        if moved:  # log without points: told at the end of the wait, so that it isn't read again
            self.moved = NodeNews(name=self._launch.name, observation=seen)
        begun = seen.started_at is not None and not self._started
        if self._points or begun or seen.exit is not None or (moved and self.answer):
            self.answer = NodeNews(name=self._launch.name, observation=replace(seen, points=tuple(self._points)))
        if begun:
            self.held_seconds = FIRST_POINTS_SECONDS if self._points else BEGIN_SECONDS
        return seen.exit is not None


def _executors(root: Path) -> Mapping[str, Callable[[Callable[[str, str], None]], Executor]]:
    from alfine.runners.container import ContainerRunner
    from alfine.runners.process import ProcessRunner
    from alfine.runners.sandbox import SandboxRunner

    environments = root / ".environments"
    return {
        "process": partial(ProcessRunner, environments=environments),
        "sandbox": partial(SandboxRunner, hidden=[root], environments=environments),
        "container": ContainerRunner,
    }
