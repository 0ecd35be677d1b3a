"""A slot: the actor on a node that passes on to the node's host what it is asked.

It is disposable. What it knows lies in the folders of the training jobs, so a new slot on the node knows the same.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from alfine._version import __version__
from alfine.runners.ended_folders import EndedFolders, Names
from alfine.runners.node import Asked, Node
from alfine.runners.node_cache import ANY, CacheLimits
from alfine.runners.node_fetches import Inputs, names_objects
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.protocol import Launch, LogPiece, Observation
from alfine.runners.storage.locations import Buckets, BucketsUnreachable

THREADS = 16
"""Calls of a slot at the same time: one waits for news, the others are short."""

ORPHAN_SECONDS = 60.0
"""A slot without a training job ends itself when nobody has called it for this time longer than it was to be kept."""

LOOK_SECONDS = 5.0
"""Time between two looks at whether anybody still needs the slot."""

LEAVE_SECONDS = 0.2
"""Time for the answer of `Slot.leave` to get away."""

REACH_SECONDS = 5.0
"""How long the buckets may take to take a connection."""

SIOCGIFADDR = 0x8915
"""The request for the address of a network interface, netdevice(7)."""

VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFacts:
    """The facts of where a slot is.

    Attributes:
        alfine: The version of alfine there.
        python: The version of Python there.
        host: The machine's name in the network.
        address: Its address in the cluster's network.
        interface: The network interface with this address.
        machine: Identifies the machine since its start, and the folder in which its training jobs have theirs.
        ray_node: Ray's id of the node.
        gpus: The GPUs that Ray has given to the slot, as CUDA_VISIBLE_DEVICES names them.
    """

    alfine: str
    python: str
    host: str
    address: str
    interface: str
    machine: str
    ray_node: str
    gpus: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTerms:
    """The terms on which a slot is made.

    Attributes:
        folder: The folder in which training jobs have theirs.
        keep_seconds: How long it is kept without a training job by whoever made it.
        shape: Its resources. Ray hides GPUs from an actor that has some, and only from those.
        home: Identifies what its training jobs share: the folder, the buckets, the records, the version of alfine.
        buckets: Makes the buckets to which s3:// URIs lead. None: there are none.
        inputs: Fetches what a launch names there: see `Node`.
        limits: See `Node`.
        ended_limits: See `EndedFolders`.
        records: See `EndedFolders`.
    """

    folder: str
    keep_seconds: float = 60.0
    shape: Shape = Shape()  # noqa: RUF009 - a value that never changes
    home: str = ""
    buckets: Callable[[], Buckets] | None = None
    inputs: Inputs | None = None
    limits: CacheLimits = ANY
    ended_limits: CacheLimits = ANY
    records: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """A slot without a training job.

    Attributes:
        terms: The terms on which it was made; without the buckets.
        owner: Ray's id of the bridge that keeps it.
    """

    terms: SlotTerms
    owner: str


class Busy(Exception):
    """Another training job runs in the slot."""


class Slot:
    """The actor. Each method is called over Ray; several of them may run at the same time.

    Args:
        terms: What it is made for.
    """

    def __init__(self, terms: SlotTerms) -> None:
        if not terms.shape.gpus:
            os.environ[VISIBLE_GPUS] = ""
        root = Path(os.path.expandvars(terms.folder)).expanduser()
        root.mkdir(parents=True, exist_ok=True)
        self._folder = str(root)
        buckets = None if terms.buckets is None else terms.buckets()
        ended = EndedFolders(root, terms.ended_limits, terms.records)
        self._node = Node(root, buckets, inputs=terms.inputs, limits=terms.limits, ended=ended)
        self._terms, self._owner = replace(terms, buckets=None, inputs=None), ""
        self._runs: tuple[str, str] | None = None  # its training job, until its end is known
        self._leash: float | None = 0.0  # that of its training job
        self._mutex = threading.Lock()
        self._called_at = time.monotonic()
        threading.Thread(target=self._end_when_orphaned, name="alfine-orphaned", daemon=True).start()

    def facts(self, owner: str) -> SlotFacts:
        """Return where it is; owner: Ray's id of the bridge that asks, which keeps it from now on."""
        import ray

        self._called_at = time.monotonic()
        self._owner = owner
        address = ray.util.get_node_ip_address()
        return SlotFacts(
            alfine=__version__,
            python=platform.python_version(),
            host=socket.gethostname(),
            address=address,
            interface=interface_of(address),
            machine=machine_of(self._folder),
            ray_node=ray.get_runtime_context().get_node_id(),
            gpus=os.environ.get(VISIBLE_GPUS, ""),
        )

    def trouble(self, file: str, endpoint: str) -> str:
        """Return why training jobs can't run on this node; "" where nothing is known.

        Args:
            file: A file of the home that must be seen at this path. "": the home isn't shared.
            endpoint: The URL of the buckets. "": there are none to be reached.
        """
        if file and not Path(file).exists():
            return f"{Path(file).parent} isn't seen there. Share the home's folder, or set [ray] shared_home = false."
        url = urlsplit(endpoint)
        if endpoint:
            port = url.port or (443 if url.scheme == "https" else 80)
            try:
                socket.create_connection((url.hostname or "", port), REACH_SECONDS).close()
            except OSError as error:
                return f"the buckets at {endpoint} can't be reached from there: {error}"
        if not os.access(self._folder, os.W_OK):
            return f"{self._folder} can't be written there"
        return self._node.trouble

    def start(self, launch: Launch) -> None:
        """Start a training job: see `Runner.start`.

        Raises:
            Busy: Another one runs here.
        """
        self._called_at = time.monotonic()
        with self._mutex:
            if self._runs not in (None, launch.key):
                raise Busy(f"training job {self._runs} runs in this slot")
            self._runs, self._leash = launch.key, launch.leash_seconds
        self._node.start(launch)

    def begin(self, launch: Launch, offset: int, counts: Mapping[str, int], wait: float) -> Observation | None:
        """Start a training job, and wait for its first news, which saves a call. Arguments and results are those of `start` and `news`.

        What keeps the host from telling news is raised by the next call of `news`, not here.
        """
        self.start(launch)
        nothing = Observation(offset=offset)
        if names_objects(launch):
            return nothing
        try:
            return self.news(launch, offset, counts, wait, has_begun=False)
        except (RuntimeError, BucketsUnreachable):
            return nothing

    def stop(self, launch: Launch) -> None:
        """Stop a training job: see `Runner.stop`."""
        self._called_at = time.monotonic()
        self._node.stop(launch)

    def log(self, launch: Launch, begin: int, most: int) -> LogPiece:
        """Return bytes of a log: see `Runner.log`."""
        self._called_at = time.monotonic()
        return self._node.log(launch, begin, most)

    def news(
        self, launch: Launch, offset: int, counts: Mapping[str, int], wait: float, *, has_begun: bool
    ) -> Observation | None:
        """Wait for news of a training job.

        Args:
            launch: The training job.
            offset: See `Runner.poll`.
            counts: See `Runner.poll`.
            wait: For how many seconds, at most.
            has_begun: Whether the caller knows that it has begun.

        Returns:
            The news; None when this attempt was never started here.
        """
        self._called_at = time.monotonic()
        answers = self._node.news([Asked(launch=launch, offset=offset, counts=counts, started=has_begun)], wait)
        if answers and answers[0].error:
            passes = answers[0].error.startswith(BucketsUnreachable.__name__)
            raise (BucketsUnreachable if passes else RuntimeError)(answers[0].error)
        seen = answers[0].observation if answers else Observation(offset=offset)
        self._called_at = time.monotonic()
        runs = seen is not None and seen.exit is None
        with self._mutex:
            if runs and self._runs is None:  # found by its folder, after the slot that had started it died
                self._runs, self._leash = launch.key, launch.leash_seconds
            elif not runs and self._runs == launch.key:
                self._runs, self._leash = None, 0.0
        return seen

    def beyond_limits(self) -> Sequence[Names]:
        """Return the training jobs whose folders are beyond the limits: see `Node.beyond_limits`."""
        self._called_at = time.monotonic()
        return self._node.beyond_limits()

    def tidy(self, may_go: Sequence[Names]) -> str:
        """Remove folders of training jobs whose ends are recorded: see `Node.tidy`."""
        self._called_at = time.monotonic()
        return self._node.tidy(may_go)

    def vacancy(self) -> Vacancy | None:
        """Return what a bridge needs to know in order to use it; None while a training job runs here."""
        with self._mutex:
            return Vacancy(terms=self._terms, owner=self._owner) if self._runs is None else None

    def take_over(self, before: str, owner: str) -> bool:
        """Change its owner, unless another bridge was quicker or a training job runs here. Return whether that was done.

        Args:
            before: The owner that has ended.
            owner: The new one.
        """
        with self._mutex:
            if self._owner != before or self._runs is not None:
                return False
            self._owner, self._called_at = owner, time.monotonic()
            return True

    def leave(self) -> bool:
        """End the process, unless a training job runs here. Return whether it ends."""
        with self._mutex:
            if self._runs is not None:
                return False
            self._runs = ("", "")  # no other may start from here on
        self._node.close()
        threading.Timer(LEAVE_SECONDS, os._exit, (0,)).start()
        return True

    def _end_when_orphaned(self) -> None:
        """End the process when nobody needs the slot: its resources are free then."""
        while True:
            time.sleep(LOOK_SECONDS)
            quiet = time.monotonic() - self._called_at
            leash = self._leash  # at its end the node has ended the training job
            if leash is not None and quiet > max(leash, self._terms.keep_seconds) + ORPHAN_SECONDS:
                os._exit(0)


def machine_of(folder: str) -> str:
    """Return what identifies this machine since its start, its container, and a folder on it."""
    parts = [socket.gethostname(), folder]
    with suppress(OSError):  # not Linux: the name has to do
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()]
        parts += [str(Path("/proc/self/ns/pid").stat().st_ino)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def interface_of(address: str) -> str:
    """Return the network interface that has an address; "" where none has."""
    try:
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                with suppress(OSError):  # an interface without an address
                    answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                    if socket.inet_ntoa(answer[20:24]) == address:
                        return name
    except OSError:  # a machine that can't tell its interfaces: instances then find each other by their names alone
        return ""
    return ""
