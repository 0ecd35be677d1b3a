"""Retries of training jobs that ended through no fault of their own (RetryStrategy).

Retries are recorded in the training job's folder: the end of its n-th attempt is kept as `.alfine/exit.<n>.json`. Without an
`exit.json` and a `process.json` it counts as never started, so the next poll starts it. If alfine is killed at any point in
between, nothing is lost and no attempt is counted twice. The log goes on, the model and the output begin anew, the checkpoints stay.
"""

from __future__ import annotations

from contextlib import suppress

from alfine.runners.job_folder import SCRATCH, Workspace
from alfine.runners.launcher import CONTROL, EXIT, PROCESS, Beneath
from alfine.runners.log_files import note_in_log


def failed_attempts(space: Workspace) -> int:
    """Return how many attempts have ended and were followed by another one."""
    with Beneath.at(space.folder) as folder, folder.folder(CONTROL) as control:
        return sum(name.startswith("exit.") and name.endswith(".json") and name != EXIT for name in control.names())


def try_again(space: Workspace, most: int) -> None:
    """Turn a training job that has ended into one that was never started.

    Args:
        space: The training job's folder.
        most: How many retries it may have, for the line in its log.

    Raises:
        OSError: A file can't be written or removed. Call it again.
    """
    number = failed_attempts(space) + 1
    _clear(space)
    note_in_log(space.log, f"the supervisor of this training job was killed. Retry {number} of {most}.")
    with Beneath.at(space.folder) as folder, folder.folder(CONTROL) as control:
        with suppress(FileNotFoundError):  # alfine was killed between the two renames, and this is called again
            control.rename(PROCESS, f"process.{number}.json")
        control.rename(EXIT, f"exit.{number}.json")  # last: from here on it counts as never started


def _clear(space: Workspace) -> None:
    """Remove what a try left, except its checkpoints, its log and its records. Links are removed, never followed.

    Raises:
        OSError: Something can't be removed.
    """
    with Beneath.at(space.folder) as folder:
        with folder.make("opt/ml") as ml:
            for name in ml.names():
                if name != "checkpoints" or not ml.is_folder(name):
                    ml.remove(name)
        for name in ("output/model.tar.gz", "hosts", SCRATCH):
            folder.remove(name)
