"""Messages between alfine and the bridge. They are pickled; a training job is named by its `Key`."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from alfine.runners.node_cache import ANY, CacheLimits
from alfine.runners.node_fetches import Inputs
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.protocol import Launch, LogPiece, Observation
from alfine.runners.storage.locations import Buckets

Key = tuple[str, str, int]
"""The tuning job, the training job and the attempt."""


def key_of(launch: Launch) -> Key:
    """Return what names an attempt of a training job in messages."""
    return launch.tuning_job, launch.name, launch.attempt


def without_secrets(launch: Launch) -> Launch:
    """Return a launch without its environment, for everything but the start."""
    return replace(launch, environment={})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The settings, as far as the bridge needs them.

    Attributes:
        address: The cluster's address.
        namespace: The namespace of its actors.
        folder: The folder on each node in which training jobs have theirs.
        pending_seconds: How long a training job may wait for its resources.
        keep_seconds: How long a slot without a training job is kept.
        buckets: Makes the buckets to which s3:// URIs lead on a node; it is pickled. None: there are none.
        inputs: Fetches there what a launch names at s3:// URIs: see `Node`.
        limits: See `Node`.
        ended_limits: The limits of the folders of training jobs that have ended: see `EndedFolders`.
        records: See `EndedFolders`.
    """

    address: str
    namespace: str = "alfine"
    folder: str = ""
    pending_seconds: float = 86400.0
    keep_seconds: float = 60.0
    buckets: Callable[[], Buckets] | None = None
    inputs: Inputs | None = None
    limits: CacheLimits = ANY
    ended_limits: CacheLimits = ANY
    records: str = ""


# -- from alfine to the bridge ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Place a training job, or find it where it was placed, and tell what becomes of it.

    Attributes:
        launch: The training job.
        shape: The resources of one of its instances.
        begin: Whether it is to be started, unless it ever was. Otherwise it is only looked for.
        stopping: Whether it is to be stopped, or not to be started in the first place.
        keep_seconds: How long its slot is kept after its end.
        offset: Where its news begin: see `Runner.poll`.
        counts: See `Runner.poll`.
    """

    launch: Launch
    shape: Shape
    begin: bool
    stopping: bool = False
    keep_seconds: float = 60.0
    offset: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class More:
    """The news up to an offset are recorded: go on from there."""

    key: Key
    offset: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AskToStop:
    """Stop a training job. It is repeated until its end is known."""

    launch: Launch


@dataclass(frozen=True, slots=True)
class MayStart:
    """The answer to `Chosen`: whether the place is recorded."""

    key: Key
    recorded: bool


@dataclass(frozen=True, slots=True)
class TakePlace:
    """A training job takes the place of one that has just ended. `Follow` comes once that is recorded.

    Attributes:
        slot: The slot's name.
    """

    slot: str


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Read a part of a log: see `Runner.log`."""

    number: int
    launch: Launch
    begin: int
    most: int


@dataclass(frozen=True, slots=True)
class MayGo:
    """The answer to `Beyond`: those of the training jobs whose folders may be removed."""

    number: int
    names: Sequence[tuple[str, str]]


# -- from the bridge to alfine ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The bridge has reached the cluster."""


@dataclass(frozen=True, slots=True)
class NotConnected:
    """The bridge can't reach the cluster, and ends; another one will try again."""

    why: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """A slot is chosen. The training job starts there when alfine has recorded that."""

    key: Key
    node: str
    slot: str


@dataclass(frozen=True, slots=True)
class Seen:
    """News of a training job.

    Attributes:
        key: The training job.
        begin: The offset that was asked from.
        observation: The news. None: this attempt was never started.
        is_free: Whether the slot of its place is free now: see `TakePlace`. One that was found again may be in another.
    """

    key: Key
    begin: int
    observation: Observation | None
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """The reason why a training job can't be placed yet; "": it could be after all."""

    key: Key
    why: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that keeps a host from going on with a training job; it tries again."""

    key: Key
    error: Exception


@dataclass(frozen=True, slots=True)
class LogRead:
    """The answer to `ReadLog`: a part of a log, or why it can't be read."""

    number: int
    piece: LogPiece | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Beyond:
    """A node may remove the folders of these training jobs, which are beyond its limits, if their ends are recorded."""

    number: int
    names: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class NodeTrouble:
    """A node can't stay within its limits, and why."""

    host: str
    why: str


ToBridge = Follow | More | AskToStop | MayStart | TakePlace | ReadLog | MayGo
FromBridge = Connected | NotConnected | Chosen | Seen | Pending | Trouble | LogRead | Beyond | NodeTrouble


def packed(message: ToBridge | FromBridge) -> bytes:
    """Return a message as bytes, for a `Connection` too: what that itself does is slower, since it also packs sockets and the like."""
    return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
