"""Errors that say that the machine is short of something that comes back, so that the same may succeed later."""

from __future__ import annotations

import errno

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
"""Numbers of such errors."""


def is_shortage(error: BaseException) -> bool:
    """Return whether an error of the operating system may pass by itself."""
    return isinstance(error, OSError) and error.errno in SHORTAGES
