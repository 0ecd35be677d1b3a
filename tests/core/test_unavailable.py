"""Which errors pass, so that clients try again."""

import errno

import pytest

from alfine.core.errors import AlfineError, StoreBusy, StoreDamaged
from alfine.core.unavailable import reason_to_try_later


@pytest.mark.parametrize(
    ("error", "begins"),
    [
        (OSError(errno.ENOSPC, "disk"), "There is no room left on the server's disk."),
        (OSError(errno.EIO, "disk"), "The server's disk, or its network drive, answers with errors."),
        (OSError(errno.EMFILE, "files"), "The server can't open more files at present."),
        (BlockingIOError(errno.EAGAIN, "fork"), "The server's machine has no room for one more process"),
        (StoreBusy("Another process writes."), "Another process writes."),
    ],
)
def test_an_error_that_passes_has_a_reason(error, begins):
    assert reason_to_try_later(error).startswith(begins)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "denied"),
        OSError("without a number"),
        ValueError("x"),
        AlfineError("x"),
        StoreDamaged("x"),
    ],
)
def test_any_other_error_has_none(error):
    assert reason_to_try_later(error) == ""
