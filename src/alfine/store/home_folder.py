"""Finding a home's folder. This module imports next to nothing, so that commands which need no store start at once."""

from __future__ import annotations

import os
from pathlib import Path

from alfine.core.errors import Fault, InvalidSpec


def home_folder(given: str | Path | None = None) -> Path:
    """Return the absolute path of a home: `given`, or else the environment variable ALFINE_HOME, or else ~/.alfine.

    Raises:
        InvalidSpec: It isn't the path of a folder.
    """
    if given is not None and not isinstance(given, str | os.PathLike):
        raise InvalidSpec([Fault("home", f"{given!r:.100} isn't the path of a folder.")])
    chosen = Path(given or os.environ.get("ALFINE_HOME") or Path.home() / ".alfine").expanduser().absolute()
    if "\0" in str(chosen):
        raise InvalidSpec([Fault("home", f"{str(chosen)!r:.100} can't be a path: it has a NUL character.")])
    try:
        is_file = chosen.exists() and not chosen.is_dir()
    except OSError as error:  # its name is too long, for example
        raise InvalidSpec([Fault("home", f"{chosen!s:.100} can't be a home: {error.strerror}.")]) from error
    if is_file:
        raise InvalidSpec([Fault("home", f"{chosen} is a file. Give the path of a folder.")])
    return chosen
