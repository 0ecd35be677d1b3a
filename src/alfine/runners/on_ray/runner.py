"""RayRunner: the runner «ray». It answers the engine from what the bridge has told it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from alfine.runners.on_ray.connection import BridgeConnection
from alfine.runners.on_ray.messages import (
    AskToStop,
    Beyond,
    Chosen,
    ClusterSettings,
    Follow,
    FromBridge,
    Key,
    LogRead,
    MayGo,
    MayStart,
    More,
    NodeTrouble,
    Pending,
    ReadLog,
    Seen,
    TakePlace,
    ToBridge,
    Trouble,
    key_of,
)
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.protocol import NO_COUNTS, Exit, Launch, LogPiece, News, Observation, Placed

log = logging.getLogger("alfine.runners.on_ray")

ENDED_KEPT = 1000
"""Training jobs that have ended and are remembered. Others are asked for again on their nodes."""

Recorded = Callable[[Sequence[tuple[str, str]]], Sequence[tuple[str, str]]]
"""Returns those of several training jobs (tuning job, training job) whose ends are recorded."""

PLACE_SECONDS = 0.2
"""How long the place of a training job that has ended can be taken by the next one: by then its slot may have died, or be ending."""

LOG_SECONDS = 20.0
"""How long a node may take to give a part of a log."""


@dataclass(slots=True)
class _Job:
    """A training job, as far as it is known.

    Attributes:
        launch: The training job, with its place once that is recorded.
        begin: Whether it was asked to start.
        stopping: Whether it was asked to stop.
        offset: Where its news were asked from.
        counts: How many values of each metric are recorded up to there.
        held: News that aren't recorded yet, or its end.
        trouble: What kept its host from going on, for the next poll.
        started_at: When it began.
        pending: Why it can't be placed yet.
        told: What the last poll was told of that.
    """

    launch: Launch
    begin: bool
    stopping: bool = False
    offset: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    held: Seen | None = None
    trouble: Exception | None = None
    started_at: datetime | None = None
    pending: str | None = None
    told: str | None = None

    @property
    def ended(self) -> bool:
        return self.held is not None and self.held.observation is not None and self.held.observation.exit is not None


@dataclass(slots=True)
class _Reading:
    """A part of a log that somebody waits for."""

    done: threading.Event = field(default_factory=threading.Event)
    answer: LogRead | None = None


class RayRunner:
    """Runs training jobs on the nodes of a Ray cluster: see `Runner`.

    Nothing is started before the first training job is asked for.

    Args:
        settings: The cluster.
        shapes: The resources of each instance type.
        news: See `Runner`.
        placed: See `Runner`.
        recorded: Returns those of several training jobs whose ends are recorded: only the folders of these may be removed. It doesn't raise.
        leash_seconds: See `Launch.leash_seconds`.
        output: The file that Ray's own messages are appended to. None drops them.
    """

    tells_news, remote = True, True

    def __init__(
        self,
        settings: ClusterSettings,
        shapes: Mapping[str, Shape],
        news: News,
        placed: Placed,
        *,
        recorded: Recorded = lambda _: (),
        leash_seconds: float = 600.0,
        output: Path | None = None,
    ) -> None:
        self._settings, self._shapes, self._output = settings, shapes, output
        self._news, self._placed, self._recorded, self._leash_seconds = news, placed, recorded, leash_seconds
        self._mutex = threading.RLock()
        self._jobs: dict[Key, _Job] = {}
        self._unstarted: set[Key] = set()  # asked to stop before they were asked to start
        self._bridge: BridgeConnection | None = None
        # The training jobs that have just ended, whose places may be taken, and until when.
        self._free_places: list[tuple[float, Launch]] = []
        self._unplaced: set[Key] = set()  # of those that wait for a place, and perhaps others
        self._readings: dict[int, _Reading] = {}
        self._numbers = count(1)
        self._unreachable = ""

    # -- the protocol --

    def start(self, launch: Launch) -> None:
        """See `Runner.start`."""
        key = key_of(launch)
        with self._mutex:
            job = self._jobs.get(key)
            if job is not None and job.begin:
                return
            stopping = key in self._unstarted or (job is not None and job.stopping)
            self._unstarted.discard(key)
            why = self._refusal(launch)
            self._jobs[key] = job = _Job(self._leashed(launch), begin=True, stopping=stopping)
            if why or (stopping and launch.node is None):
                end = Exit(cause="not_started", detail=why) if why else Exit(cause="stopped")
                job.held = Seen(key, 0, Observation(exit=end, ended_at=datetime.now(UTC)))
            else:
                self._follow(job)
        if job.ended:
            self._news(launch.tuning_job, launch.name)

    def poll(self, launch: Launch, offset: int, counts: Mapping[str, int] = NO_COUNTS) -> Observation | None:
        """See `Runner.poll`."""
        key = key_of(launch)
        with self._mutex:
            job = self._jobs.get(key)
            if job is None:
                if launch.node is None:
                    return None  # it was never placed
                job = self._jobs[key] = _Job(self._leashed(launch), begin=False, offset=offset, counts=dict(counts))
                self._follow(job)
            if job.trouble is not None:
                trouble, job.trouble = job.trouble, None
                raise trouble
            seen = self._held(job, offset, counts)
            if seen is not None:
                if seen.observation is None:
                    del self._jobs[key]
                elif seen.observation.exit is None and seen.observation.offset == offset:  # that it has begun
                    self._go_on(job, offset, counts)
                return seen.observation
            if job.offset != offset or job.held is not None:
                self._go_on(job, offset, counts)
            job.told = job.pending or self._unreachable or None
            return Observation(started_at=job.started_at, offset=offset, pending=job.told)

    def stop(self, launch: Launch) -> None:
        """See `Runner.stop`."""
        key = key_of(launch)
        with self._mutex:
            job = self._jobs.get(key)
            if job is None and launch.node is None:
                self._unstarted.add(key)
                return
            if job is None:
                job = self._jobs[key] = _Job(self._leashed(launch), begin=False)
                self._follow(job)
            if job.ended:
                return
            job.stopping = True
            job.launch = replace(job.launch, grace_seconds=min(launch.grace_seconds, job.launch.grace_seconds))
            self._tell(AskToStop(job.launch))

    def take_place(self, tuning_job: str, instance_type: str, gpus: float) -> tuple[str, str] | None:
        """Return the place of a training job that has just ended, for the next one of its tuning job; None where there is none.

        So that is recorded together with the launch, in one transaction. The next one is to be started there then.

        Args:
            tuning_job: The tuning job.
            instance_type: The next training job's.
            gpus: The same.

        Returns:
            The node and the slot.
        """
        with self._mutex:
            now = time.monotonic()
            self._free_places = [(until, ended) for until, ended in self._free_places if until > now]
            for number, (_, ended) in enumerate(self._free_places):
                if (ended.tuning_job, ended.instance_type, ended.gpus) == (tuning_job, instance_type, gpus):
                    del self._free_places[number]
                    node, slot = str(ended.node), str(ended.slot)
                    return (node, slot) if self._tell(TakePlace(slot)) else None
        return None

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """See `Runner.log`."""
        with self._mutex:
            job = self._jobs.get(key_of(launch))
            placed = job.launch if job is not None else launch
            if placed.node is None:
                return LogPiece(begin=begin)
            number, reading = next(self._numbers), _Reading()
            self._readings[number] = reading
            sent = self._tell(ReadLog(number, placed, begin, most))
        try:
            if not sent or not reading.done.wait(LOG_SECONDS) or reading.answer is None:
                raise OSError(f"the Ray cluster doesn't answer{f': {self._unreachable}' if self._unreachable else ''}")
            if reading.answer.piece is None:
                raise OSError(reading.answer.why)
            return reading.answer.piece
        finally:
            self._readings.pop(number, None)

    def close(self) -> None:
        """See `Runner.close`."""
        with self._mutex:
            bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.close()

    # -- what the engine asks --

    def _refusal(self, launch: Launch) -> str:
        """Return why a training job can't be placed at all; "" where it can."""
        if launch.instance_type not in self._shapes:
            known = ", ".join(sorted(self._shapes))
            return f"ClientError: InstanceType {launch.instance_type!r} isn't in [ray.instances] of alfine.toml, which has {known}."
        return ""

    def _leashed(self, launch: Launch) -> Launch:
        return replace(launch, leash_seconds=self._leash_seconds)

    def _held(self, job: _Job, offset: int, counts: Mapping[str, int]) -> Seen | None:
        """Return the news from an offset on, as far as they are here."""
        seen = job.held
        if seen is None or seen.observation is None or (seen.begin == offset and dict(counts) == job.counts):
            return seen
        if seen.observation.exit is not None and seen.observation.offset == offset:  # its end is asked for again
            return replace(seen, observation=replace(seen.observation, points=()))
        return None

    def _go_on(self, job: _Job, offset: int, counts: Mapping[str, int]) -> None:
        """Ask for the news from an offset on: the earlier ones are recorded, or are to be read again."""
        over = job.ended
        job.offset, job.counts, job.held = offset, dict(counts), None
        if over:
            self._follow(job)
        else:
            self._tell(More(key_of(job.launch), offset, job.counts))

    # -- the bridge --

    def _follow(self, job: _Job) -> None:
        shape = self._shapes.get(job.launch.instance_type, Shape())
        keep = job.launch.keep_alive_seconds
        if job.launch.gpus:
            shape = replace(shape, gpus=job.launch.gpus)
        if job.launch.node is None:  # it may get the slot of one that has ended, or have it end for its own
            self._unplaced.add(key_of(job.launch))
            self._free_places.clear()
        self._tell(
            Follow(
                launch=replace(job.launch, function=None),
                shape=shape,
                begin=job.begin,
                stopping=job.stopping,
                keep_seconds=self._settings.keep_seconds if keep is None else keep,
                offset=job.offset,
                counts=job.counts,
            )
        )

    def _tell(self, message: ToBridge) -> bool:
        """Send a message. One that can't be sent is contained in what a new bridge is told."""
        if self._bridge is None:
            self._bridge = BridgeConnection(
                self._settings, self._heard, self._connected, self._note_unreachable, self._output
            )
        return self._bridge.send(message)

    def _connected(self) -> None:
        with self._mutex:
            self._unreachable = ""
            self._free_places.clear()
            for job in self._jobs.values():
                if not job.ended:
                    job.held = None
                    self._follow(job)

    def _note_unreachable(self, why: str) -> None:
        with self._mutex:
            if why == self._unreachable:
                return
            self._unreachable = why
            waiting = [job.launch for job in self._jobs.values() if not job.ended and job.launch.node is None]
        log.warning("training jobs wait for the Ray cluster: %s", why)
        for launch in waiting:
            self._news(launch.tuning_job, launch.name)

    def _heard(self, message: FromBridge) -> None:
        match message:
            case LogRead():
                reading = self._readings.get(message.number)
                if reading is not None:
                    reading.answer = message
                    reading.done.set()
            case Chosen():
                self._record(message)
            case Beyond():
                self._tell_recorded(message)
            case NodeTrouble():
                log.warning("node %s can't stay within its limits of old folders: %s", message.host, message.why)
            case Seen() | Pending() | Trouble():
                if self._keep(message):
                    self._news(message.key[0], message.key[1])

    def _tell_recorded(self, beyond: Beyond) -> None:
        """Say which folders a node may remove."""
        recorded = self._recorded(beyond.names)
        with self._mutex:
            self._tell(MayGo(beyond.number, recorded))

    def _keep(self, message: Seen | Pending | Trouble) -> bool:
        """Keep news for the next poll, and return whether they are new."""
        with self._mutex:
            job = self._jobs.get(message.key)
            if job is None or job.ended:
                return False
            match message:
                case Pending():
                    job.pending = message.why or None
                case Trouble():
                    job.trouble = message.error
                case Seen():
                    job.held = message
                    if message.observation is not None:
                        job.started_at = message.observation.started_at
                    if message.is_free and not self._any_waits():
                        self._free_places.append((time.monotonic() + PLACE_SECONDS, job.launch))
                    self._limit()
            return True

    def _any_waits(self) -> bool:
        """Return whether a training job waits for its place: the bridge may give it a slot that is free, or end that to make room."""
        jobs = {key: self._jobs.get(key) for key in self._unplaced}
        self._unplaced = {key for key, job in jobs.items() if job and job.launch.node is None and not job.ended}
        return bool(self._unplaced)

    def _limit(self) -> None:
        """Forget the training jobs that ended first, beyond a number."""
        if len(self._jobs) > 2 * ENDED_KEPT:
            ended = [key for key, job in self._jobs.items() if job.ended]
            for key in ended[:-ENDED_KEPT]:
                del self._jobs[key]

    def _record(self, chosen: Chosen) -> None:
        """Have a place recorded, and let the training job start there."""
        with self._mutex:
            job = self._jobs.get(chosen.key)
        recorded = False
        if job is not None:
            try:
                self._placed(job.launch, chosen.node, chosen.slot)
                recorded = True
            except Exception as error:  # noqa: BLE001 - the engine has lost the tuning job, or can't write: it doesn't start
                log.warning("training_job=%s isn't started: its place can't be recorded: %s", chosen.key[1], error)
        with self._mutex:
            if job is not None and recorded:
                job.launch = replace(job.launch, node=chosen.node, slot=chosen.slot)
                job.pending = None
            elif job is not None:
                self._jobs.pop(chosen.key, None)  # whoever has the tuning job now starts it
            self._tell(MayStart(chosen.key, recorded))
        if job is not None and not (recorded and job.told is None):  # nobody waits to hear that it has a place
            self._news(chosen.key[0], chosen.key[1])
