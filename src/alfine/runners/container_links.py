"""Links in channels that lead out of them: what a container needs besides the channels, so that no link dangles."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from alfine.runners.protocol import Launch

MOST_LINKS = 1000
"""Links that lead out of the channels of a training job. Each needs a mount of its own, which takes the kernel some 50 µs."""

MOST_ENTRIES = 200_000
"""Files and folders in which links are looked for: 0.3 s."""

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


def links_out(launch: Launch) -> dict[str, Path]:
    """Return what links in a training job's channels lead to outside of them.

    A link that leads to a folder of the system, or to nothing, is left as it is.

    Args:
        launch: The training job.

    Returns:
        Files and folders by the paths at which a container has to see them.

    Raises:
        TooManyLinks: There are more links, or more files to search for links, than alfine follows.
    """
    folders = {path.absolute() for channel in launch.channels for path in (channel.path, *channel.shards)}
    return dict(_links_out(tuple((str(folder), _changed_at(folder)) for folder in sorted(folders))))


@lru_cache(maxsize=8)  # the training jobs of a tuning job have the same channels
def _links_out(folders: tuple[tuple[str, int], ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    seen = [folder for folder, _ in folders]
    to_do = deque((folder, folder) for folder in seen)
    entries = 0
    while to_do:
        real, inside = to_do.popleft()
        for entry in _entries(real):
            entries += 1
            if entries > MOST_ENTRIES:
                raise TooManyLinks(f"The channels have more than {MOST_ENTRIES} files. Pack them into fewer files.")
            if entry.is_dir(follow_symlinks=False):
                to_do.append((entry.path, f"{inside}/{entry.name}"))
            target = _target(entry, inside) if entry.is_symlink() else ""
            if not target or _is_within(target, (*seen, *OF_THE_IMAGE)):
                continue
            found[target] = Path(os.path.realpath(entry.path))
            seen.append(target)
            if len(found) > MOST_LINKS:
                raise TooManyLinks(
                    f"The channels have more than {MOST_LINKS} links that lead out of them (one is {entry.path}). Name the folder "
                    "that the links lead to as the channel, or copy the files."
                )
            if found[target].is_dir():
                to_do.append((str(found[target]), target))
    return found


def _entries(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # a file, not a folder; or alfine may not look into it, and neither may a container
        return ()


def _target(entry: os.DirEntry[str], inside: str) -> str:
    """Return the path that a link names, as seen in a container; "" where there is neither a file nor a folder."""
    if not (entry.is_file() or entry.is_dir()):
        return ""
    return os.path.normpath(os.path.join(inside, os.readlink(entry.path)))  # noqa: PTH115, PTH118


def _is_within(path: str, folders: Iterable[str]) -> bool:
    return path == "/" or any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0  # it is gone: the links of a new one are looked at anew
