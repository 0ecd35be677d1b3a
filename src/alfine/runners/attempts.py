"""Attempts of a training job on one machine: which one its folder has, and how the next one begins there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alfine.runners import launcher
from alfine.runners.executor import Executor, LocalLaunch
from alfine.runners.job_folder import Workspace
from alfine.runners.retries import try_again
from alfine.runners.supervision import has_ended, is_supervised, settle_lost, was_started


def attempt_in(folder: Path) -> tuple[int, int]:
    """Return the attempt that was started last in a training job's folder, and where its log begins; (0, 0) where none was.

    One that an earlier version of alfine started counts as the first.
    """
    record = launcher.read_json(launcher.control_path(str(folder), launcher.LAUNCH))
    return (0, 0) if record is None else (int(record.get("attempt", 1)), int(record.get("log_begin", 0)))


def begin_again(launch: LocalLaunch, executor: Executor, most: int) -> bool:
    """Put aside what an earlier attempt left in the folder, so that this one can start there. Its log goes on, its checkpoints stay.

    Args:
        launch: The attempt that is to start.
        executor: What runs the earlier one, if it runs.
        most: How many retries there may be, for the line in the log.

    Returns:
        False while the earlier attempt runs: it is killed, and this is to be called again.

    Raises:
        OSError: A file can't be written or removed. Call it again.
    """
    folder = str(launch.folder)
    if attempt_in(launch.folder)[0] in (0, launch.attempt):
        return True
    if is_supervised(folder):
        executor.stop(replace(launch, grace_seconds=0.0))
        return False
    if was_started(folder) and not has_ended(folder):
        settle_lost(folder)
    if has_ended(folder):
        try_again(Workspace(launch.folder), most)
    return True
