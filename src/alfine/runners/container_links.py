"""Links in channels that lead out of them: what a container needs besides the channels, so that no link dangles."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Container, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path

from alfine.runners.executor import LocalLaunch

logger = logging.getLogger("alfine.runners")

MOST_LINKS = 1000
"""Links that lead out of the channels of a training job. Each needs a mount of its own, which takes the kernel some 50 µs."""

MOST_ENTRIES = 200_000
"""Files and folders among which links are looked for: 0.3 s. Links beyond them dangle."""

OF_THE_IMAGE = (
    *(
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/opt/conda",
        "/opt/ml",
        "/proc",
        "/run",
        "/sbin",
    ),
    *("/sys", "/usr", "/var/run"),
)
"""Folders that an image has itself. What lies there isn't replaced by this machine's."""


class TooManyLinks(ValueError):
    """The channels can't be shown in a container. The message says why, and what to do."""


def links_out(launch: LocalLaunch) -> dict[str, Path]:
    """Return what links in a training job's channels lead to outside of them.

    A link that leads to a folder of the system, or to nothing, is left as it is. Folders that alfine made of S3 objects aren't looked
    at: `job_folder.files_of` knows their links.

    Args:
        launch: The training job.

    Returns:
        Files and folders by the paths at which a container has to see them.

    Raises:
        TooManyLinks: There are more links than alfine follows.
    """
    folders = {path.absolute() for channel in launch.channels for path in (channel.path, *channel.shards)}
    users = sorted(folder for folder in folders if not folder.is_relative_to(launch.folder.parent))
    return dict(_links_out(tuple((str(folder), _changed_at(folder)) for folder in users)))


@lru_cache(maxsize=8)  # the training jobs of a tuning job have the same channels
def _links_out(folders: tuple[tuple[str, int], ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    seen = {*OF_THE_IMAGE, *(folder for folder, _ in folders)}
    to_do = deque((folder, folder) for folder, _ in folders)
    entries = 0
    while to_do and entries < MOST_ENTRIES:
        real, inside = to_do.popleft()
        for entry in _entries(real, MOST_ENTRIES - entries):
            entries += 1
            if entry.is_dir(follow_symlinks=False):
                to_do.append((entry.path, f"{inside}/{entry.name}"))
            target = _target(entry, inside) if entry.is_symlink() else ""
            if not target or target == "/" or _is_within(target, seen):
                continue
            found[target] = Path(os.path.realpath(entry.path))
            seen.add(target)
            if len(found) > MOST_LINKS:
                raise TooManyLinks(
                    f"The channels have more than {MOST_LINKS} links that lead out of them (one is {entry.path}). Name the folder "
                    "that the links lead to as the channel, or copy the files."
                )
            if found[target].is_dir():
                to_do.append((str(found[target]), target))
    if entries >= MOST_ENTRIES:
        logger.warning("links were looked for among the first %d files of %s only", MOST_ENTRIES, folders[0][0])
    return found


def _entries(folder: str, most: int) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from islice(entries, most)
    except OSError:  # a file, not a folder; or alfine may not look into it, and neither may a container
        return


def _target(entry: os.DirEntry[str], inside: str) -> str:
    """Return the path that a link names, as seen in a container; "" where there is neither a file nor a folder."""
    try:
        if not (entry.is_file() or entry.is_dir()):
            return ""
    except (
        OSError
    ):  # it leads to itself, or through a folder that alfine may not look into: to nothing for a container, too
        return ""
    return os.path.normpath(os.path.join(inside, os.readlink(entry.path)))  # noqa: PTH115, PTH118


def _is_within(path: str, folders: Container[str]) -> bool:
    return path in folders or any(str(parent) in folders for parent in Path(path).parents)


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0  # it is gone: the links of a new one are looked at anew
