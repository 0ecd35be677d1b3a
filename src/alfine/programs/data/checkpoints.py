"""Checkpoints (CheckpointConfig): what lies under their S3Uri is in the training job's folder when it starts, and what it leaves
there lies under the S3Uri when it has ended.

AWS gives all training jobs of a tuning job one and the same S3Uri, so that one would go on from another's checkpoints. Here each
has its own, <S3Uri>/<training job>, unless the job's tag `alfine:checkpoints` is «shared». A training job of its own
(CreateTrainingJob) has the S3Uri itself.
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
from alfine.programs.data.locations import Buckets, BucketsUnreachable, beyond, is_path, local, relative
from alfine.runners.job_folder import Workspace

log = logging.getLogger("alfine.programs.data.checkpoints")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a training job's checkpoints are kept. shared: others keep theirs there too."""

    uri: str
    shared: bool


def place_of(spec: TuningJobSpec, training_job: str) -> Place | None:
    """None when they stay in the training job's folder."""
    uri = spec.definition.checkpoint_uri.rstrip("/")
    if not uri:
        return None
    if spec.settings.get("checkpoints") == SHARED_CHECKPOINTS:
        return Place(uri, shared=True)
    return Place(uri if spec.single_training_job else f"{uri}/{training_job}", shared=False)


def restore(buckets: Buckets | None, place: Place | None, space: Workspace) -> None:
    """Fetch them, once in a training job's life, before it starts. Raise OSError when one can't be had."""
    folder = space.ml / "checkpoints"
    if buckets is None or place is None or folder.exists():
        return
    found = dict(_kept(buckets, place.uri))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".checkpoints-", dir=folder.parent) as draft:
        inside = Path(draft) / "checkpoints"
        inside.mkdir()
        for name, file in found.items():
            (inside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, inside / name)
        inside.rename(folder)


def save(buckets: Buckets | None, place: Place | None, space: Workspace) -> None:
    """Put them there; what the training job has removed is removed there too, unless others share the place. Again it's the same.

    What can't be put is logged: it stays in the training job's folder.
    """
    folder = space.ml / "checkpoints"
    if buckets is None or place is None or not folder.is_dir():
        return
    try:
        written = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
        for name, path in written.items():
            put(buckets, f"{place.uri}/{name}", path)
        for name, path in () if place.shared else list(_kept(buckets, place.uri)):
            if name not in written:
                _remove(buckets, place.uri, name, path)
    except BucketsUnreachable:
        raise  # later it may be reached
    except OSError as error:
        log.warning("can't put the checkpoints of %s under %s: %s", space.folder.name, place.uri, error)


def _remove(buckets: Buckets, uri: str, name: str, path: Path) -> None:
    if local(uri) is None:
        buckets.remove(f"{uri}/{name}")
    else:
        path.unlink()


def _kept(buckets: Buckets, uri: str) -> Iterator[tuple[str, Path]]:
    """Each checkpoint with its path below the URI."""
    folder = local(uri)
    if folder is None:
        for name, stored in relative(f"{uri}/", buckets.find(f"{uri}/")):
            if is_path(name):
                yield name, buckets.file(stored)
        return
    trouble = beyond(buckets.roots, folder)
    if trouble:
        raise PermissionError(trouble)
    for path in files_in(folder) if folder.is_dir() else ():
        yield os.fspath(path.relative_to(folder)), path
