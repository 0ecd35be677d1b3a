"""Where a training job's model and output go when it has ended: OutputDataConfig.

<S3OutputPath>/<training job>/output/model.tar.gz (with CompressionType NONE: output/model/…, file by file), and
output.tar.gz beside it if it wrote to output/data. The path is s3://…, or file:///… for a folder of this machine; nothing
is copied for an empty one and for file:/// alone.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import threading
from pathlib import Path

from alfine.programs.data.locations import Buckets, beyond, local
from alfine.runners.job_folder import Workspace


def refusal(buckets: Buckets | None, uri: str) -> str | None:
    """Why nothing could be put there; None when it could."""
    path = local(uri)
    if buckets is None or _nowhere(uri):
        return None
    if path is None:
        known = uri.startswith("s3://")
        return buckets.refusal(uri) if known else f"nothing can be put at {uri!r}. Use s3://… or file:///…"
    there = next(each for each in (path, *path.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return f"{there} isn't a folder that can be written."
    return beyond(buckets.roots, path)


def artifact(uri: str, name: str, *, packed: bool) -> str | None:
    """The URI of a training job's model; None when it stays in the training job's folder."""
    return None if _nowhere(uri) else f"{_base(uri, name)}/{'model.tar.gz' if packed else 'model'}"


def _base(uri: str, name: str) -> str:
    return f"{uri.rstrip('/')}/{name}/output"


def _nowhere(uri: str) -> bool:
    return local(uri) == Path("/") if uri else True


def deliver(buckets: Buckets | None, uri: str, name: str, space: Workspace, *, packed: bool) -> bool:
    """Put what a training job left at AMT's place; again it's the same objects. False when there is no such place.

    Raise OSError when it can't be put; the files stay in the training job's folder.
    """
    if buckets is None or _nowhere(uri):
        return False
    base = _base(uri, name)
    if not packed:
        for path in files_in(space.model):
            put(buckets, f"{base}/model/{path.relative_to(space.model).as_posix()}", path)
    elif space.archive.exists():
        put(buckets, f"{base}/model.tar.gz", space.archive)
    data = space.ml / "output" / "data"
    if data.is_dir() and any(data.iterdir()):
        _put_packed(buckets, f"{base}/output.tar.gz", data)
    return True


def _put_packed(buckets: Buckets, uri: str, folder: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=folder.parent, suffix=".tar.gz") as draft:
        with tarfile.open(fileobj=draft, mode="w:gz", compresslevel=1) as archive:
            archive.add(folder, arcname=".")
        draft.flush()
        put(buckets, uri, Path(draft.name))


def files_in(folder: Path) -> list[Path]:
    """All files below a folder that a training job wrote. Not those that links lead to: it may not be allowed to read them."""
    return sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


def put(buckets: Buckets, uri: str, file: Path) -> None:
    """Store a copy of a file at s3://… or file:///… Raise OSError when that can't be."""
    path = local(uri)
    if path is None:
        buckets.put(uri, file)
        return
    trouble = beyond(buckets.roots, path)
    if trouble:
        raise PermissionError(trouble)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    shutil.copyfile(file, draft)
    draft.replace(path)
