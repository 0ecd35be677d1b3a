"""Errors after which the same request may succeed later, told in a sentence: servers answer them with 503 instead of 500."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from alfine.core.errors import AlfineError

UNAVAILABLE_CODE = "ServiceUnavailable"
"""AWS's code of such errors, which its clients try again after."""

SENTENCES: Mapping[int | None, str] = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT), "There is no room left on the server's disk. Make some, then try again."
    ),
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO),
        "The server's disk, or its network drive, answers with errors. Check it, then try again.",
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "The server can't open more files at present. Try again in a while."),
    **dict.fromkeys(
        (errno.EAGAIN, errno.ENOMEM),
        "The server's machine has no room for one more process at present. Try again in a while.",
    ),
}
"""By the errno of an OSError. The files aren't named: the caller may be anybody."""


def reason_to_try_later(error: BaseException) -> str:
    """Return why a request can't be answered at present, as a sentence; "" for errors that don't pass."""
    if isinstance(error, AlfineError):
        return str(error) if error.code == UNAVAILABLE_CODE else ""
    return SENTENCES.get(error.errno, "") if isinstance(error, OSError) else ""
