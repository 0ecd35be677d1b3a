"""Checks the buckets of a home: the record of every object, and the models that training jobs stored in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from alfine.programs.data.buckets.errors import S3Error
from alfine.programs.data.buckets.key_names import OURS, check_bucket_name, decoded
from alfine.programs.data.buckets.listing import walk
from alfine.programs.data.buckets.object_paths import metadata_file
from alfine.runners.storage.artifacts import artifact
from alfine.runners.storage.locations import local
from alfine.store.queries import TrainingJobFolder

BUCKETS = "buckets"

Wrong = tuple[str, str, str]
"""Where, what, and what to do."""


def bucket_problems(home: Path, stored: Iterable[TrainingJobFolder]) -> tuple[int, list[Wrong]]:
    """Return how many objects there are, and what is wrong with them.

    Args:
        home: The home.
        stored: The training jobs whose models were stored outside of their folders.
    """
    objects, wrong = 0, list[Wrong]()
    top = home / BUCKETS
    for folder in sorted(top.iterdir()) if top.is_dir() else ():
        if folder.is_dir() and _is_bucket_name(folder.name):
            keys = {key: Path(file) for key, file in walk(folder) if file is not None}
            objects += len(keys)
            wrong += _records(folder, keys)
    wrong += [problem for row in stored for problem in _model(top, row)]
    return objects, wrong


def _is_bucket_name(name: str) -> bool:
    try:
        check_bucket_name(name)
    except S3Error:
        return False
    return True


def _records(folder: Path, keys: dict[str, Path]) -> Iterator[Wrong]:
    bucket = folder / OURS / "bucket.json"
    if bucket.exists() and not _readable(bucket):
        yield (
            str(bucket),
            "the record of the bucket can't be read",
            'Write {"region": "us-east-1", "created_at": 0} into it.',
        )
    needed = set()
    for key, file in keys.items():
        record = Path(metadata_file(folder, key, file.lstat().st_mtime_ns))
        needed.add(record)
        if record.exists() and not _readable(record):
            yield (
                str(record),
                f"the record of the object {key} can't be read",
                "Remove it: then the object is as one put there by hand.",
            )
    for record in (folder / OURS / "metadata").rglob("*"):
        if record.is_file() and record not in needed and record.exists():
            key = decoded(record.relative_to(folder / OURS / "metadata").as_posix().rpartition("@")[0])
            reason = "was replaced by hand" if key in keys else "was removed by hand, or is lost"
            yield (
                str(record),
                f"a record without its object: {key} {reason}",
                "Remove it; if the object is missed, put it again.",
            )


def _readable(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False  # which is told as a problem


def _model(top: Path, row: TrainingJobFolder) -> Iterator[Wrong]:
    """Yield what is wrong with the model of a training job that stored it in a bucket of the home or in a folder."""
    uri = artifact(row.output_path, row.training_job, packed=True, attempt=row.attempt)
    if uri is None or not row.packed or row.status == "Failed":
        return
    file = local(uri) or (top / uri.removeprefix("s3://") if top.is_dir() else None)
    if file is not None and not file.exists():
        what = f"the model that training job {row.training_job} stored is gone"
        yield uri, what, "Store it again from the training job's folder (output/model.tar.gz), if it is needed."
