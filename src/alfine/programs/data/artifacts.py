"""Artifacts: store the model and the output of a training job when it has ended (OutputDataConfig).

The model is stored at <S3OutputPath>/<training job>/output/model.tar.gz, or with CompressionType NONE file by file in output/model/.
What the training job wrote to output/data is stored beside it, as output.tar.gz. The path is s3://…, or file:///… for a folder of
this machine. Where it is empty or just file:///, nothing is stored.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import BinaryIO

from alfine.programs.data.locations import Buckets, local, path_refusal
from alfine.runners.job_folder import Workspace
from alfine.runners.packing import MODEL, files_left, packed_model, packed_output


def refusal(buckets: Buckets | None, uri: str) -> str | None:
    """Return why nothing can be stored at a URI, or None where it can."""
    path = local(uri)
    if buckets is None or _nowhere(uri):
        return None
    if path is None:
        if uri.startswith("s3://"):
            return buckets.refusal(uri)
        return f"nothing can be stored at {uri!r}. Use s3://… or file:///…"
    try:
        ancestor = next(folder for folder in (path, *path.parents) if folder.exists())
    except OSError as error:  # a name that is too long, for example
        return f"{error.filename}: {error.strerror}."
    if not ancestor.is_dir() or not os.access(ancestor, os.W_OK):
        return f"{ancestor} isn't a folder that alfine can write to."
    return path_refusal(buckets.roots, path)


def artifact(uri: str, name: str, *, packed: bool) -> str | None:
    """Return the URI of a training job's model, or None where it stays in the training job's folder.

    Args:
        uri: The S3OutputPath.
        name: The training job's name.
        packed: Whether the model is one model.tar.gz.
    """
    return None if _nowhere(uri) else f"{_base(uri, name)}/{'model.tar.gz' if packed else 'model'}"


def _base(uri: str, name: str) -> str:
    return f"{uri.rstrip('/')}/{name}/output"


def _nowhere(uri: str) -> bool:
    return local(uri) == Path("/") if uri else True


def deliver(buckets: Buckets | None, uri: str, name: str, space: Workspace, *, packed: bool) -> bool:
    """Store what a training job left. A second call stores the same objects again.

    Args:
        buckets: Where s3:// URIs lead.
        uri: The S3OutputPath.
        name: The training job's name.
        space: Its folder.
        packed: Whether the model is stored as one model.tar.gz.

    Returns:
        False where nothing is to be stored.

    Raises:
        OSError: It can't be stored. The files stay in the training job's folder.
    """
    if buckets is None or _nowhere(uri):
        return False
    base = _base(uri, name)
    if not packed:
        for path, file in files_left(space, MODEL):
            put(buckets, f"{base}/model/{path}", file)
    else:
        with packed_model(space) as archive:
            if archive is not None:
                put(buckets, f"{base}/model.tar.gz", archive)
    with packed_output(space) as output:
        if output is not None:
            put(buckets, f"{base}/output.tar.gz", output)
    return True


def put(buckets: Buckets, uri: str, file: BinaryIO) -> None:
    """Store a copy of an open file, from its present position on, at an s3:// or file:// URI.

    Raises:
        PermissionError: Requests may not name that path.
        OSError: It can't be stored.
    """
    path = local(uri)
    if path is None:
        buckets.put(uri, file)
        return
    trouble = path_refusal(buckets.roots, path)
    if trouble:
        raise PermissionError(trouble)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with draft.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    draft.replace(path)
