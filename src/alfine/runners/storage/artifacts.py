"""Artifacts: store the model and the output of a training job when it has ended (OutputDataConfig).

The model is stored at <S3OutputPath>/<training job>/output/model.tar.gz, or with CompressionType NONE file by file in output/model/.
What the training job wrote to output/data is stored beside it, as output.tar.gz. A later attempt (RetryStrategy) stores its own in
<S3OutputPath>/<training job>/attempts/<number>/output/: an attempt that was given up, and may still run somewhere, overwrites nothing. The
path is s3://…, or file:///… for a folder of this machine. Where it is empty or just file:///, nothing is stored.

Where a log lies on a machine that may be lost, a copy of it is stored beside output/, as log.txt.
"""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from alfine.runners.job_folder import Workspace
from alfine.runners.launch import Launch
from alfine.runners.log_files import open_log
from alfine.runners.packing import MODEL, files_left, packed_model, packed_output
from alfine.runners.storage.locations import Buckets, local, path_refusal


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


def artifact(uri: str, name: str, *, packed: bool, attempt: int = 1) -> str | None:
    """Return the URI of a training job's model, or None where it stays in the training job's folder.

    Args:
        uri: The S3OutputPath.
        name: The training job's name.
        packed: Whether the model is one model.tar.gz.
        attempt: The attempt that left it.
    """
    base = output_base(uri, name, attempt)
    return f"{base}/{'model.tar.gz' if packed else 'model'}" if base else None


def output_base(uri: str, name: str, attempt: int = 1) -> str:
    """Return the URI below which an attempt of a training job stores what it leaves; "" where that stays in its folder.

    Args:
        uri: The S3OutputPath.
        name: The training job's name.
        attempt: The attempt, from 1.
    """
    if _nowhere(uri):
        return ""
    return f"{uri.rstrip('/')}/{name}/{'' if attempt == 1 else f'attempts/{attempt}/'}output"


def log_copy(uri: str, name: str, attempt: int = 1) -> str:
    """Return the URI of the copy of a log that outlives its node; "" where no copy is stored. Arguments are those of `output_base`."""
    base = output_base(uri, name, attempt)
    return f"{base.removesuffix('output')}log.txt" if base else ""


def _nowhere(uri: str) -> bool:
    return local(uri) == Path("/") if uri else True


def deliver(buckets: Buckets, base: str, space: Workspace, *, packed: bool) -> None:
    """Store what a training job left. A second call stores the same objects again.

    Args:
        buckets: Where s3:// URIs lead.
        base: The URI below which it is stored.
        space: The training job's folder.
        packed: Whether the model is stored as one model.tar.gz.

    Raises:
        OSError: It can't be stored. The files stay in the training job's folder.
    """
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


def copy_log(buckets: Buckets, launch: Launch, space: Workspace) -> None:
    """Store a copy of the log of a training job, as far as there is one, where it is read when its machine is lost.

    Args:
        buckets: Where s3:// URIs lead.
        launch: The training job, with a `log_uri`.
        space: Its folder.

    Raises:
        OSError: It can't be stored.
    """
    with suppress(FileNotFoundError), open_log(space.log) as file:  # nothing was printed
        put(buckets, launch.log_uri, file)


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
