"""Checkpoints (CheckpointConfig): files below a URI that a training job finds when it starts. They are stored there while it runs, and
when it has ended.

AWS gives all training jobs of a tuning job the same S3Uri, so that one would go on from another's checkpoints. Here each has its own,
<S3Uri>/<training job>, unless the tuning job's tag `alfine:checkpoints` is «shared» (see programs/program.py). A single training job
(CreateTrainingJob) has the S3Uri itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alfine.runners.job_folder import CHECKPOINTS, Workspace, fill_checkpoints, has_checkpoints
from alfine.runners.packing import files_left
from alfine.runners.storage.artifacts import put
from alfine.runners.storage.locations import Buckets, is_path, local, path_refusal, relative

Versions = dict[str, tuple[int, int]]
"""The time of change and the size of files, by their paths below the folder of checkpoints, as they were stored last."""


def restore(buckets: Buckets, uri: str, space: Workspace) -> None:
    """Copy stored checkpoints into a training job's folder, once, before it first starts.

    Args:
        buckets: Where s3:// URIs lead.
        uri: Where they are stored.
        space: The training job's folder.

    Raises:
        BucketsUnreachable: The buckets can't be reached at present.
        OSError: A checkpoint can't be read.
    """
    if not has_checkpoints(space):
        fill_checkpoints(space, list(_stored(buckets, uri)))


def save(buckets: Buckets, uri: str, space: Workspace, *, shared: bool) -> None:
    """Store the checkpoints that a training job left. A second call stores the same again.

    Files that the training job has removed are removed from the store too, unless the place is shared. What can't be stored stays in
    the training job's folder.

    Args:
        buckets: Where s3:// URIs lead.
        uri: Where to store them.
        space: The training job's folder.
        shared: Whether other training jobs store theirs there too.

    Raises:
        BucketsUnreachable: The buckets can't be reached at present.
        OSError: They can't be read or stored, or `checkpoints` isn't a folder.
    """
    written = set()
    for name, file in files_left(space, CHECKPOINTS):
        put(buckets, f"{uri}/{name}", file)
        written.add(name)
    for name, path in list(_stored(buckets, uri)) if not shared and has_checkpoints(space) else ():
        if name not in written:
            _remove(buckets, uri, name, path)


def save_changed(buckets: Buckets, uri: str, space: Workspace, stored: Versions) -> None:
    """Store the checkpoints of a running training job that have changed. Errors are those of `save`.

    Args:
        buckets: Where s3:// URIs lead.
        uri: Where to store them.
        space: The training job's folder.
        stored: What was stored before; it is brought up to date.
    """
    for name, file in files_left(space, CHECKPOINTS, noting=False):
        status = os.fstat(file.fileno())
        version = status.st_mtime_ns, status.st_size
        if stored.get(name) != version:
            put(buckets, f"{uri}/{name}", file)
            stored[name] = version


def _remove(buckets: Buckets, uri: str, name: str, path: Path) -> None:
    if local(uri) is None:
        buckets.remove(f"{uri}/{name}")
    else:
        path.unlink()


def _stored(buckets: Buckets, uri: str) -> Iterator[tuple[str, Path]]:
    """Yield each stored checkpoint: its path below the URI, and a local file with its content."""
    folder = local(uri)
    if folder is None:
        for name, stored in relative(f"{uri}/", buckets.find(f"{uri}/")):
            if is_path(name):
                yield name, buckets.file(stored)
        return
    trouble = path_refusal(buckets.roots, folder)
    if trouble:
        raise PermissionError(trouble)
    for above, _, names in os.walk(folder):
        for path in sorted(Path(above, name) for name in names):
            if path.is_file() and not path.is_symlink():
                yield os.fspath(path.relative_to(folder)), path
