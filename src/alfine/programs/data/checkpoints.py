"""Checkpoints (CheckpointConfig): files below the S3Uri that a training job finds when it starts, and leaves there when it has ended.

AWS gives all training jobs of a tuning job the same S3Uri, so that one would go on from another's checkpoints. Here each has its own,
<S3Uri>/<training job>, unless the tuning job's tag `alfine:checkpoints` is «shared». A single training job (CreateTrainingJob) has the
S3Uri itself.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alfine.core.spec import SHARED_CHECKPOINTS, TuningJobSpec
from alfine.programs.data.artifacts import files_in, put
from alfine.programs.data.locations import Buckets, BucketsUnreachable, is_path, local, path_refusal, relative
from alfine.runners.job_folder import Workspace

log = logging.getLogger("alfine.programs.data.checkpoints")


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
    folder = space.ml / "checkpoints"
    if buckets is None or place is None or folder.exists():
        return
    stored = dict(_stored(buckets, place.uri))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".checkpoints-", dir=folder.parent) as draft:
        inside = Path(draft) / "checkpoints"
        inside.mkdir()
        for name, file in stored.items():
            (inside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, inside / name)
        inside.rename(folder)


def save(buckets: Buckets | None, place: Place | None, space: Workspace) -> None:
    """Store the checkpoints that a training job left. A second call stores the same again.

    Files that the training job has removed are removed from the store too, unless the place is shared. A checkpoint that can't be
    stored is logged and stays in the training job's folder.

    Args:
        buckets: Where s3:// URIs lead.
        place: Where to store them; None: nowhere.
        space: The training job's folder.

    Raises:
        BucketsUnreachable: The buckets can't be reached at present.
    """
    folder = space.ml / "checkpoints"
    if buckets is None or place is None or not folder.is_dir():
        return
    try:
        written = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
        for name, path in written.items():
            put(buckets, f"{place.uri}/{name}", path)
        for name, path in () if place.shared else list(_stored(buckets, place.uri)):
            if name not in written:
                _remove(buckets, place.uri, name, path)
    except BucketsUnreachable:
        raise  # to be tried again
    except OSError as error:
        log.warning("can't store the checkpoints of %s at %s: %s", space.folder.name, place.uri, error)


def _remove(buckets: Buckets, uri: str, name: str, path: Path) -> None:
    if local(uri) is None:
        buckets.remove(f"{uri}/{name}")
    else:
        path.unlink()


def _stored(buckets: Buckets, uri: str) -> Iterator[tuple[str, Path]]:
    """Each stored checkpoint: its path below the URI, and a local file with its content."""
    folder = local(uri)
    if folder is None:
        for name, stored in relative(f"{uri}/", buckets.find(f"{uri}/")):
            if is_path(name):
                yield name, buckets.file(stored)
        return
    trouble = path_refusal(buckets.roots, folder)
    if trouble:
        raise PermissionError(trouble)
    for path in files_in(folder) if folder.is_dir() else ():
        yield os.fspath(path.relative_to(folder)), path
