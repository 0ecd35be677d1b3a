"""Folders that are made once and then shared: by training jobs, and after a restart."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

FOLDER_MODE = 0o755
"""Everybody may read it: training jobs may run as another user, in a container."""


def made_once(place: Path, name: str, state: str, fill: Callable[[Path], None]) -> Path:
    """Return a folder that `fill` has filled: one for each state of what it is made from.

    The folder gets its name when it is complete, so that nobody sees it half filled. Two callers may make the same one at the same
    time; the first to finish counts.

    Args:
        place: The folder that it is made in.
        name: How its name begins.
        state: A text that differs when the content differs.
        fill: Fills an empty folder. What it raises is passed on.
    """
    folder = place / f"{name}-{zlib.crc32(state.encode(errors='surrogateescape')):08x}"
    if folder.is_dir():
        return folder
    place.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=place))
    draft.chmod(FOLDER_MODE)
    try:
        fill(draft)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another caller has made it meanwhile
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # renamed, or a leftover that `alfine doctor --check` finds
    return folder
