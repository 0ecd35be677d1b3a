"""Errors that say that the machine is short of something that comes back, so that the same may succeed later."""

from __future__ import annotations

from functools import cache

from alfine.runners.launcher.capacity import SHORTAGES, raise_limit

NO_THREAD = "can't start new thread"
"""Python's message in a RuntimeError when there can be no more threads at present."""

NOT_MAPPED = "failed to map segment from shared object"
"""The dynamic linker's message in an ImportError when there is too little memory for a library."""


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that the machine is short of something that comes back by itself."""
    if isinstance(error, OSError):
        return error.errno in SHORTAGES
    if isinstance(error, ImportError):
        return NOT_MAPPED in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_THREAD in str(error))


@cache
def raise_descriptor_limit() -> int:
    """Raise this process's soft limit on descriptors to the hard one, once. Return the limit that it had, for its training jobs."""
    return raise_limit()
