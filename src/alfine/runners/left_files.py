"""Lists and opens the files that a training job has left in its folder, for people.

A training job could have put links, pipes and devices there. Everything is looked up by `launcher.beneath`, below the folder of its kind, so
that no name leads out of it, and only regular files are listed and read.
"""

from __future__ import annotations

import itertools
import stat
from dataclasses import dataclass
from typing import BinaryIO

from alfine.runners.job_folder import CHECKPOINTS, Workspace
from alfine.runners.launcher import Beneath
from alfine.runners.launcher.walk import walk
from alfine.runners.packing import MODEL, OUTPUT

FOLDERS = {"model": MODEL, "output": OUTPUT, "checkpoints": CHECKPOINTS, "packed": "output"}
"""The folder of each kind of files, below that of the training job."""

MOST_LISTED = 100
"""Files of each kind that are named."""

MOST_COUNTED = 10_000
"""Files and folders of each kind that are looked at."""


@dataclass(frozen=True, slots=True)
class LeftFiles:
    """The files of one kind.

    Attributes:
        kind: One of FOLDERS.
        files: (name below the folder, bytes) of the first files.
        count: How many files there are.
        size: The bytes of all.
        whole: Whether all were counted.
    """

    kind: str
    files: tuple[tuple[str, int], ...]
    count: int
    size: int
    whole: bool


def left_files(space: Workspace) -> list[LeftFiles]:
    """Return what a training job has left so far, by kind; kinds without files are left out.

    Raises:
        FileNotFoundError: The folder of the training job isn't on this machine.
        OSError: It can't be read.
    """
    with Beneath.at(space.folder) as folder:
        kinds = [_files_of(folder, kind) for kind in FOLDERS]
    return [files for files in kinds if files.count]


def _files_of(folder: Beneath, kind: str) -> LeftFiles:
    files: list[tuple[str, int]] = []
    count = size = looked = 0
    if not folder.is_folder(FOLDERS[kind]):
        return LeftFiles(kind, (), 0, 0, whole=True)
    with folder.folder(FOLDERS[kind]) as opened:
        for entry in itertools.islice(walk(opened, left_out=lambda _: None), MOST_COUNTED):
            looked += 1
            if entry.kind != stat.S_IFREG:
                continue
            count, size = count + 1, size + entry.status.st_size
            if len(files) < MOST_LISTED:
                files.append((entry.name, entry.status.st_size))
    return LeftFiles(kind, tuple(files), count, size, whole=looked < MOST_COUNTED)


def open_left_file(space: Workspace, kind: str, name: str) -> BinaryIO:
    """Open a file that a training job has left.

    Args:
        space: The folder of the training job.
        kind: One of FOLDERS.
        name: Its name below the folder of its kind.

    Raises:
        FileNotFoundError: There is none.
        OSError: It isn't a regular file, or can't be read.
    """
    if ".." in name.split("/"):
        raise FileNotFoundError(name)
    with Beneath.at(space.folder) as folder, folder.folder(FOLDERS[kind]) as opened:
        return opened.open(name)
