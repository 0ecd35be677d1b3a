"""Parsed input files, kept for the other training jobs of a tuning job: a CSV file is parsed once, not once a training job.

The arrays of a file lie beside the tuning job's inputs, under a name made from the file's content, so that changed data are parsed
anew. A training job in a sandbox has no such folder (another one could have written to it) and parses for itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alfine.runners.protocol import SHARED_VARIABLE

Arrays = Mapping[str, npt.NDArray[Any]]

SMALL_BYTES = 1 << 16
"""Files up to this size are parsed each time: keeping them costs as much."""

LEFT_FREE_BYTES = 1 << 30
"""Bytes that must stay free on the disk; otherwise nothing is kept."""

FORM = "1"
"""Part of each name. Another number makes files of an earlier alfine unused."""


def parsed(form: str, content: bytes, parse: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of a file, parsed now or by an earlier training job.

    Args:
        form: How it is parsed: the same content may be read in several ways.
        content: The file's content.
        parse: Parses it. What it raises is passed on.
    """
    place = os.environ.get(SHARED_VARIABLE)
    if not place or len(content) <= SMALL_BYTES:
        return parse()
    digest = hashlib.blake2b(content, digest_size=16, person=f"{FORM} {form}"[:16].encode()).hexdigest()
    path = Path(place, f"{digest}.npz")
    with _alone_in(path.parent):
        arrays = _kept(path)
        if arrays is None:
            arrays = parse()
            _keep(path, arrays)
    return arrays


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other training job parses: the next one then finds what this one has parsed."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # the kernel releases it when the process ends, however it ends
        yield
    finally:
        os.close(descriptor)


def _kept(path: Path) -> Arrays | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # it isn't there, or it is broken: it is made anew
        return None


def _keep(path: Path, arrays: Arrays) -> None:
    size = sum(array.nbytes for array in arrays.values())
    if shutil.disk_usage(path.parent).free < size + LEFT_FREE_BYTES:
        return
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **dict[str, Any](arrays))
        Path(draft).replace(path)
    except OSError:  # the disk is full, say. Nothing is lost: the next training job parses the file itself
        with suppress(OSError):
            Path(draft).unlink()
