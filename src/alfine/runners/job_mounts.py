"""Finds what a sandbox or a container must show of a training job besides its own `opt/ml`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alfine.runners.executor import LocalLaunch
from alfine.runners.job_folder import SHARED, JobHost, Workspace


def mounts(launch: LocalLaunch, host: JobHost) -> Iterator[tuple[Path, str]]:
    """Yield what has to be mounted besides the host's own `opt/ml`, for a runner whose training jobs have an /opt/ml.

    Args:
        launch: The training job.
        host: The host that is started.

    Yields:
        A folder, and the path at which the host's process sees it.
    """
    ml = Workspace(launch.folder).ml
    if launch.hosts_here > 1:
        # For algo-1 too: a mounted folder can't be replaced by a link, which the mounts of others would follow.
        for name in SHARED:
            yield ml / name, str(host.seen.ml / name)
    if Path(launch.checkpoint_path) != host.seen.ml / "checkpoints":
        yield ml / "checkpoints", launch.checkpoint_path


def files_of(launch: LocalLaunch) -> Iterator[Path]:
    """Yield the files and folders outside the training job's folder to which links in its `opt/ml` lead.

    They are its code and its channels, and what the links inside folders lead to that alfine made of S3 objects.
    """
    if launch.source_dir is not None:
        yield launch.source_dir.absolute()
    elif launch.script is not None:
        yield launch.script.absolute()
    for folder in {path.absolute() for channel in launch.channels for path in (channel.path, *channel.shards)}:
        yield folder
        if folder.is_relative_to(launch.folder.parent):
            yield from _links_out(folder)


def _links_out(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if entry.is_symlink():
            yield Path(entry.path).resolve()
        elif entry.is_dir():
            yield from _links_out(Path(entry.path))
