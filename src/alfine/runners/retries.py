"""Training jobs that are tried again, since what ended them was no fault of theirs (RetryStrategy).

That a training job was tried again is recorded in its folder: the end of its n-th attempt is kept as `.alfine/exit.<n>.json`. Without
an `exit.json` and a `process.json` it counts as never started, so that whoever looks next starts it: killed anywhere in between,
nothing is lost and nothing is counted twice. Its log goes on; its model and its output begin anew, its checkpoints stay.
"""

from __future__ import annotations

import shutil
from contextlib import suppress

from alfine.runners.job_folder import Workspace
from alfine.runners.launcher import EXIT, PROCESS

KEPT = "checkpoints"


def failed_attempts(space: Workspace) -> int:
    """How many attempts have ended and were followed by another."""
    return len(list(space.control.glob("exit.*.json")))


def try_again(space: Workspace, most: int) -> None:
    """Make a training job that has ended one that was never started. most: how often it may be tried again, for its log."""
    number = failed_attempts(space) + 1
    for folder in space.ml.iterdir() if space.ml.is_dir() else ():
        if folder.name != KEPT:
            shutil.rmtree(folder, ignore_errors=True)
    space.archive.unlink(missing_ok=True)
    with space.log.open("a", encoding="utf-8") as log:
        log.write(f"\nalfine: the supervisor of this training job was killed. It's tried again ({number} of {most}).\n")
    with suppress(FileNotFoundError):  # killed between the two renames
        (space.control / PROCESS).replace(space.control / f"process.{number}.json")
    (space.control / EXIT).replace(space.control / f"exit.{number}.json")  # last: from here on it's to be started
