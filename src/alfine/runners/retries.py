"""Retries of training jobs that ended through no fault of their own (RetryStrategy).

Retries are recorded in the training job's folder: the end of its n-th attempt is kept as `.alfine/exit.<n>.json`. Without an
`exit.json` and a `process.json` it counts as never started, so the next poll starts it. If alfine is killed at any point in
between, nothing is lost and no attempt is counted twice. The log goes on, the model and the output begin anew, the checkpoints stay.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import EXIT, PROCESS

KEPT = "checkpoints"
"""The folder of `opt/ml` that the next attempt finds as the last one left it."""


def failed_attempts(space: Workspace) -> int:
    """Return how many attempts have ended and were followed by another one."""
    return len(list(space.control.glob("exit.*.json")))


def try_again(space: Workspace, most: int) -> None:
    """Turn a training job that has ended into one that was never started.

    Args:
        space: The training job's folder.
        most: How many retries it may have, for the line in its log.

    Raises:
        OSError: A file can't be written or removed. Call it again.
    """
    number = failed_attempts(space) + 1
    for folder in space.ml.iterdir() if space.ml.is_dir() else ():
        if folder.name != KEPT:
            shutil.rmtree(folder, ignore_errors=True)
    space.archive.unlink(missing_ok=True)
    with space.log.open("a", encoding="utf-8") as log:
        log.write(f"\nalfine: the supervisor of this training job was killed. Retry {number} of {most}.\n")
    with suppress(FileNotFoundError):  # alfine was killed between the two renames, and this is called again
        (space.control / PROCESS).replace(space.control / f"process.{number}.json")
    (space.control / EXIT).replace(
        space.control / f"exit.{number}.json"
    )  # last: from here on it counts as never started
