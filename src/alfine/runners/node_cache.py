"""The cache of a node: objects of buckets, unpacked code, and folders of channels. It is kept within a size and an age.

    <root>/<tuning job>/.inputs    code and channels of a tuning job, most of them hard links to objects
    <root>/.buckets/cache/s3       objects, one file each, for all tuning jobs

What was used longest ago is removed first, and nothing that a training job uses. Whatever is needed again is fetched again.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.supervision import is_supervised

log = logging.getLogger("alfine.runners.node_cache")

INPUTS = ".inputs"
"""The folder of a tuning job in which its unpacked code and the folders of links are."""

BUCKETS = ".buckets"
"""The folder among those of tuning jobs in which a node keeps objects that it has downloaded."""

OBJECTS = Path(BUCKETS, "cache", "s3")
"""The folder of these objects, below that of all tuning jobs."""

USED = ".inputs-used"
"""The file of a tuning job whose time of change says when its inputs were used last."""

LOCK = ".inputs-lock"
"""The file on which everybody holds a lock who fetches something, so that nothing is removed meanwhile."""

SWEEP_SECONDS = 300.0
"""Time between two looks at what a node has."""

LEFT_SECONDS = 7 * 86400.0
"""A training job without an end that was started before has left its folder behind: its node was switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """The limits of what a node keeps.

    Attributes:
        most_bytes: Its size. None: any.
        most_seconds: The time since it was used last. None: any.
    """

    most_bytes: int | None = None
    most_seconds: float | None = None


ANY = CacheLimits()
"""No limits."""


@dataclass(frozen=True, slots=True, order=True)
class CachedItem:
    """The inputs of one tuning job with the objects that only they use, or one object that none use.

    Attributes:
        used_at: When it was used last.
        path: Its folder, or its file.
        size: The bytes of an object; 0 for inputs, whose size depends on what else is removed.
    """

    used_at: float
    path: Path
    size: int = 0


class NodeCache:
    """Keeps what a node has fetched within limits.

    Args:
        root: The folder that has a folder for each tuning job.
        limits: The limits.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, root: Path, limits: CacheLimits, clock: Callable[[], float] = time.time) -> None:
        self._root, self._limits, self._clock = root, limits, clock
        self._swept_at = 0.0
        self._trouble = ""

    @contextmanager
    def using(self, tuning_job: str) -> Iterator[None]:
        """Keep everything, while inputs of a tuning job are fetched and a training job is started with them."""
        folder = self._root / tuning_job
        folder.mkdir(parents=True, exist_ok=True)
        with (self._root / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            (folder / USED).touch()
            os.utime(folder / USED, (self._clock(), self._clock()))
            try:
                yield
            finally:  # closing isn't enough: a process that has just been started has the file open for a moment longer
                fcntl.flock(lock, fcntl.LOCK_UN)

    def sweep_if_due(self) -> str:
        """Remove what is beyond the limits, unless that was done a short time ago, or something is being fetched.

        Returns:
            Why the last removal has failed; "" where it hasn't.
        """
        if self._limits == ANY or self._clock() < self._swept_at + SWEEP_SECONDS:
            return self._trouble
        with (self._root / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # the next training job looks again
                return self._trouble
            self._swept_at = self._clock()
            self._trouble = ""
            try:
                self._sweep()
            except OSError as error:  # a training job doesn't fail for it
                self._trouble = f"what it has fetched can't be kept within its limits: {error}"
                log.warning("%s: %s", self._root, self._trouble)
        return self._trouble

    def _sweep(self) -> None:
        oldest = -math.inf if self._limits.most_seconds is None else self._clock() - self._limits.most_seconds
        most = math.inf if self._limits.most_bytes is None else self._limits.most_bytes
        objects = {path.stat().st_ino: path for path in (self._root / OBJECTS).glob("??/*")}
        size = sum(sizes_below([*self._root.glob(f"*/{INPUTS}"), self._root / OBJECTS]).values())
        left: list[Path] = []
        for kept in sorted([*self._free_inputs(), *free_objects(objects.values())]):
            if kept.used_at >= oldest and size <= most:
                break
            freed = _removed(kept.path, objects)
            size -= freed
            log.info("%s was removed, %d bytes: it was used last at %.0f", kept.path, freed, kept.used_at)
            left += [kept.path] if kept.path.exists() else []
        if left:
            raise OSError(f"{left[0]} can't be removed")

    def _free_inputs(self) -> Iterator[CachedItem]:
        """Yield the inputs of tuning jobs that no training job uses."""
        now = self._clock()
        for folder in self._root.glob(f"*/{INPUTS}"):
            used = folder.with_name(USED)
            if not any(may_run(control.parent, now) for control in folder.parent.glob(f"*/{launcher.CONTROL}")):
                yield CachedItem((used if used.exists() else folder).stat().st_mtime, folder)


def may_run(job: Path, now: float) -> bool:
    """Return whether a training job may run here, or wait for its turn to.

    Args:
        job: Its folder.
        now: The seconds since 1970.
    """
    control = job / launcher.CONTROL
    if (control / launcher.EXIT).exists():
        return False
    try:
        return control.stat().st_mtime > now - LEFT_SECONDS or is_supervised(str(job))
    except FileNotFoundError:  # its folder has been removed meanwhile
        return False


def free_objects(objects: Iterable[Path]) -> Iterator[CachedItem]:
    """Yield the objects that aren't among any inputs.

    Args:
        objects: The files of objects. Those that were removed meanwhile are left out.
    """
    for path in objects:
        with suppress(FileNotFoundError):  # another process was quicker
            status = path.stat()
            if status.st_nlink == 1:
                yield CachedItem(max(status.st_atime, status.st_mtime), path, status.st_size)


def _removed(path: Path, objects: Mapping[int, Path]) -> int:
    """Remove inputs with the objects that only they use, or an object. Return how many bytes that has freed.

    Args:
        path: Which.
        objects: All objects, by inode.
    """
    if path.name != INPUTS:
        size = path.stat().st_size
        path.unlink()
        return size
    files = sizes_below([path])
    shutil.rmtree(path, ignore_errors=True)  # the caller tells that something stays; it is tried again at the next look
    freed = 0
    for inode, size in files.items():
        link = objects.get(inode)
        if link is None:
            freed += size
        elif link.stat().st_nlink == 1:
            link.unlink()
            freed += size
    return freed


def sizes_below(folders: Iterable[Path]) -> dict[int, int]:
    """Return the sizes of the files below folders, by inode: a file of several names counts once."""
    found = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                status = (Path(place) / name).lstat()
                found[status.st_ino] = status.st_size
    return found
