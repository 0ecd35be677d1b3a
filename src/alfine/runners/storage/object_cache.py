"""The cache of downloaded objects: a file for each. Those that no tuning job has linked are kept within a size and an age.

<folder>/<two digits>/<digits>      an object
<folder>/<two digits>/.lock         held while one of these is downloaded or removed
"""

from __future__ import annotations

import fcntl
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alfine.runners.node_cache import ANY, SWEEP_SECONDS, CacheLimits, free_objects

log = logging.getLogger("alfine.runners.storage.object_cache")

LOCK = ".lock"
"""The file on which a lock is held."""

IN_USE_SECONDS = 3600.0
"""An object that was used within this time is kept: somebody may be about to read or to link it."""


class ObjectCache:
    """Keeps downloaded objects within limits.

    Args:
        folder: The folder of the objects.
        limits: The limits.
        clock: Returns the seconds since 1970.
    """

    def __init__(self, folder: Path, limits: CacheLimits, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._limits, self._clock = folder, limits, clock
        self._swept_at = 0.0

    def sweep_if_due(self) -> None:
        """Remove what is beyond the limits, unless that was done a short time ago."""
        if self._limits == ANY or self._clock() < self._swept_at + SWEEP_SECONDS:
            return
        self._swept_at = self._clock()
        try:
            self._sweep()
        except OSError as error:  # whoever has just downloaded something doesn't fail for it
            log.warning("downloaded objects in %s can't be kept within their limits: %s", self._folder, error)

    def _sweep(self) -> None:
        now = self._clock()
        oldest = -math.inf if self._limits.most_seconds is None else now - self._limits.most_seconds
        most = math.inf if self._limits.most_bytes is None else self._limits.most_bytes
        free = sorted(free_objects(path for path in self._folder.glob("??/*") if path.name != LOCK))
        size = sum(kept.size for kept in free)
        for kept in free:
            if kept.used_at >= now - IN_USE_SECONDS or (kept.used_at >= oldest and size <= most):
                return
            with alone(kept.path.parent):
                if [*free_objects([kept.path])] == [kept]:  # nobody has used it meanwhile
                    kept.path.unlink()
                    size -= kept.size


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder of objects, between threads and processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
