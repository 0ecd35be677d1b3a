"""Limits of a launcher: what it needs of the machine for each training job, and which errors say that there is too little at present."""

from __future__ import annotations

import errno
import os
import resource

SHORTAGES = frozenset(
    {
        errno.ENOSPC,  # the disk is full
        errno.EDQUOT,  # the user's share of the disk is full
        errno.EMFILE,  # this process has no more descriptors
        errno.ENFILE,  # the machine has no more descriptors
        errno.EAGAIN,  # there can be no more processes or threads at present
        errno.ENOMEM,  # there is no more memory
    }
)
"""Numbers of errors that may pass by themselves."""

RESERVE = 16
"""Descriptors that no training job takes: the launcher needs some for a moment when it starts, looks at and ends training jobs."""

LARGEST = 10_240
"""The highest soft limit where the hard one can't be reached: OPEN_MAX of macOS."""

FOLDERS = ("/proc/self/fd", "/dev/fd")
"""Folders with an entry for each open descriptor: of Linux, of macOS."""

UNKNOWN = 64
"""Descriptors that are taken to be open where that can't be found out."""


UNLIMITED = resource.RLIM_INFINITY
"""The limit of a process without one."""


def limits() -> tuple[int, int]:
    """Return the soft and the hard limit on open descriptors of this process."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_limit() -> int:
    """Raise the soft limit on open descriptors of this process as far as it goes. Return the soft limit that it had."""
    given, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, LARGEST):
        if limit == given or (limit != resource.RLIM_INFINITY and limit < given):
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):  # macOS allows less than it says; the next limit is lower
            continue
        break
    return given


def lower_limit(soft: int) -> None:
    """Give a training job the soft limit that its user has: a program may count on it, such as one that uses select(2)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or soft <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Capacity:
    """The number of training jobs that a launcher can supervise at once: each holds a descriptor, that of its lock.

    Args:
        given: The soft limit on descriptors that training jobs get; None: the one that this process has.
    """

    def __init__(self, given: int | None = None) -> None:
        before = raise_limit()
        self.given = before if given is None else given
        self._limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._open = _count_open()

    def has_room(self, jobs: int) -> bool:
        """Return whether there is room for one more training job; jobs: those that are supervised already."""
        return self._limit == resource.RLIM_INFINITY or self._open + jobs + RESERVE < self._limit


def _count_open() -> int:
    for folder in FOLDERS:
        try:
            return len(os.listdir(folder))
        except OSError:
            continue  # this system counts them elsewhere, or nowhere
    return UNKNOWN
