"""Checkpoints (CheckpointConfig): files below the S3Uri that a training job finds when it starts, and leaves there when it has ended.

AWS gives all training jobs of a tuning job the same S3Uri, so that one would go on from another's checkpoints. Here each has its own,
<S3Uri>/<training job>, unless the tuning job's tag `alfine:checkpoints` is «shared». A single training job (CreateTrainingJob) has the
S3Uri itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alfine.core.spec import SHARED_CHECKPOINTS, TuningJobSpec
from alfine.programs.data.artifacts import put
from alfine.programs.data.locations import Buckets, is_path, local, path_refusal, relative
from alfine.runners.job_folder import CHECKPOINTS, Workspace, fill_checkpoints, has_checkpoints
from alfine.runners.packing import files_left


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a training job's checkpoints.

    Attributes:
        uri: s3://… or file:///…
        shared: Whether other training jobs store theirs there too.
    """

    uri: str
    shared: bool


def place_of(spec: TuningJobSpec, training_job: str) -> Place | None:
    """Return where a training job's checkpoints are stored, or None where they stay in its folder.

    Args:
        spec: The specification of its definition.
        training_job: Its name.
    """
    uri = spec.definition.checkpoint_uri.rstrip("/")
    if not uri:
        return None
    if spec.settings.get("checkpoints") == SHARED_CHECKPOINTS:
        return Place(uri, shared=True)
    return Place(uri if spec.single_training_job else f"{uri}/{training_job}", shared=False)


def restore(buckets: Buckets | None, place: Place | None, space: Workspace) -> None:
    """Copy stored checkpoints into a training job's folder, once, before it first starts.

    Args:
        buckets: Where s3:// URIs lead.
        place: Where they are stored; None: nowhere.
        space: The training job's folder.

    Raises:
        BucketsUnreachable: The buckets can't be reached at present.
        OSError: A checkpoint can't be read.
    """
    if buckets is None or place is None or has_checkpoints(space):
        return
    fill_checkpoints(space, list(_stored(buckets, place.uri)))


def save(buckets: Buckets | None, place: Place | None, space: Workspace) -> None:
    """Store the checkpoints that a training job left. A second call stores the same again.

    Files that the training job has removed are removed from the store too, unless the place is shared. What can't be stored stays in
    the training job's folder.

    Args:
        buckets: Where s3:// URIs lead.
        place: Where to store them; None: nowhere.
        space: The training job's folder.

    Raises:
        BucketsUnreachable: The buckets can't be reached at present.
        OSError: They can't be read or stored, or `checkpoints` isn't a folder.
    """
    if buckets is None or place is None:
        return
    written = set()
    for name, file in files_left(space, CHECKPOINTS):
        put(buckets, f"{place.uri}/{name}", file)
        written.add(name)
    for name, path in list(_stored(buckets, place.uri)) if not place.shared and has_checkpoints(space) else ():
        if name not in written:
            _remove(buckets, place.uri, name, path)


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
