"""The host: keeps the training jobs of one machine alive, reads their metrics where their logs are, and gives parts of the logs.

A host turns a portable Launch into one with paths of its machine (local_launch.py) and gives it to an executor. In alfine's own process it
is the local runner. On another machine it lives in whatever placed it there, which passes on what it is asked.

    <root>/<tuning job>/<training job>/     the training job's folder (job_folder.py), for all its attempts on this machine

A host keeps no state that only it has. What it holds in memory (how far it has read a log, the epochs that it has heard of) it finds again
in the folders, or is told by whoever asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.attempts import attempt_in, begin_again
from alfine.runners.epochs import Epochs
from alfine.runners.executor import Executor, LocalChannel, LocalLaunch
from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.local_launch import local_launch
from alfine.runners.log_files import log_size, piece_of
from alfine.runners.log_points import LogPoints
from alfine.runners.protocol import NO_COUNTS, Exit, LogPiece, News, Observation
from alfine.runners.storage.checkpoints import restore
from alfine.runners.storage.copies import Copies
from alfine.runners.storage.deliveries import Deliveries
from alfine.runners.storage.locations import Buckets, BucketsUnreachable

TOUCHES = 0.05
"""Share of its leash after which a training job's machine writes again that it has heard of alfine."""


class _Job:
    """A training job as a host knows it; all of it can be found again."""

    def __init__(self, launch: Launch, root: Path) -> None:
        self.launch = launch
        self.local = local_launch(launch, root)
        self.points: LogPoints | None = None
        self.is_current = launch.attempt == 1
        self.touch_at = 0.0

    def points_from(self, launch: Launch, offset: int, counts: Mapping[str, int]) -> LogPoints:
        """Return the reader that goes on at an offset."""
        if self.points is None or self.points.offset != offset:
            self.points = LogPoints(launch, offset, counts)
        return self.points


class Host:
    """Runs training jobs by one executor. It is the runner of this machine.

    Args:
        root: Has a folder for each tuning job, which has one for each training job.
        executor: Runs the processes.
        news: Called when what a training job left is stored; the executor has it, too.
        buckets: Where s3:// URIs lead. None: nowhere, so that nothing is stored.
        clock: Returns the present instant, for the points of logs.
    """

    def __init__(
        self,
        root: Path,
        executor: Executor,
        *,
        news: News = lambda *_: None,
        buckets: Buckets | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.root = root
        self.executor = executor
        self._buckets = buckets
        self._deliveries = Deliveries(buckets, news)
        self._copies = Copies(buckets)
        self._clock = clock or (lambda: datetime.now(UTC))
        self._epochs = Epochs(root)
        self._jobs: dict[tuple[str, str], _Job] = {}

    @property
    def tells_news(self) -> bool:
        return bool(getattr(self.executor, "tells_news", False))

    # -- the protocol --

    def start(self, launch: Launch) -> None:
        """See `Executor.start`."""
        self._epochs.check(launch)
        job = self._job(launch)
        if not job.is_current and not self._has_this_attempt(job):
            if not begin_again(job.local, self.executor, launch.retries):
                return
            job.is_current = True
            job.local = replace(job.local, log_begin=log_size(Workspace(job.local.folder).log))
        self.executor.start(self._with_checkpoints(job))
        self._epochs.hear(launch)

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation | None:
        """See `Executor.poll`."""
        self._epochs.hear(launch)
        job = self._job(launch)
        if not job.is_current and not self._has_this_attempt(job):
            return None
        self._touch(job)
        begin = max(offset, job.local.log_begin)
        points = job.points_from(launch, begin, counts)
        seen = self.executor.poll(job.local, begin)
        if seen is None:
            return None
        observation = Observation(
            started_at=seen.started_at,
            ended_at=seen.ended_at,
            points=tuple(points.read(seen, self._clock())),
            offset=seen.offset,
            pending=seen.pending,
        )
        if seen.exit is not None:
            return self._ended(job, points, observation, seen.exit)
        if seen.started_at is not None:
            self._copies.follow(launch, Workspace(job.local.folder))
        return observation

    def _ended(self, job: _Job, points: LogPoints, seen: Observation, end: Exit) -> Observation:
        """Return the last observation of a training job once what it left is stored."""
        space = Workspace(job.local.folder)
        self._copies.forget(job.launch)
        delivery = self._deliveries.of(job.launch, space)
        if not delivery.done:
            return replace(seen, storing=True)
        if delivery.trouble and end.succeeded:
            end = Exit(cause="not_stored", code=0, tail=end.tail, detail=delivery.trouble)
        self._jobs.pop(job.launch.key, None)
        self._epochs.forget(job.launch)
        return replace(
            seen, exit=end, stored=delivery.stored, no_objective=points.no_objective() if end.succeeded else ""
        )

    def stop(self, launch: Launch) -> None:
        """See `Executor.stop`."""
        self._epochs.check(launch)
        self.executor.stop(local_launch(launch, self.root))

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """See `Runner.log`."""
        return piece_of(Workspace(self.root / launch.tuning_job / launch.name).log, begin, most)

    def close(self) -> None:
        """See `Executor.close`."""
        self._copies.close()
        self.executor.close()

    # -- what it holds --

    def _job(self, launch: Launch) -> _Job:
        job = self._jobs.get(launch.key)
        if job is None or job.launch.attempt != launch.attempt:
            job = self._jobs[launch.key] = _Job(launch, self.root)
        elif job.launch is not launch:
            job.launch, begin = launch, job.local.log_begin
            job.local = replace(local_launch(launch, self.root), log_begin=begin)
        return job

    def _with_checkpoints(self, job: _Job) -> LocalLaunch:
        """Copy stored checkpoints into the folder. If they can't be read, the launch has a channel that ends it with the reason."""
        if self._buckets is None or not job.launch.checkpoint_uri:
            return job.local
        try:
            restore(self._buckets, job.launch.checkpoint_uri, Workspace(job.local.folder))
        except BucketsUnreachable:
            raise  # the next try may succeed
        except OSError as error:
            missing = LocalChannel(name="checkpoints", path=job.local.folder, trouble=str(error))
            return replace(job.local, channels=(*job.local.channels, missing))
        return job.local

    def _touch(self, job: _Job) -> None:
        """Let the launcher of a training job on a leash know that somebody asks for it."""
        leash, now = job.launch.leash_seconds, time.monotonic()
        if leash is None or now < job.touch_at:
            return
        job.touch_at = now + leash * TOUCHES
        with suppress(FileNotFoundError):  # it wasn't started yet
            path = launcher.control_path(str(job.local.folder), launcher.HEARD)
            launcher.write_json(path, {"at": time.time()})

    def _has_this_attempt(self, job: _Job) -> bool:
        """Return whether this attempt was started here, and not only an earlier one."""
        attempt, begin = attempt_in(job.local.folder)
        job.is_current = attempt == job.launch.attempt
        if job.is_current:
            job.local = replace(job.local, log_begin=begin)
        return job.is_current
