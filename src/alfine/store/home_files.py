"""The files of a home, beside its database: where they are, and whether they fit to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alfine.core.errors import StoreDamaged
from alfine.store.database_errors import no_folder

FILE = "alfine.db"
"""Name of the embedded store's file, in its home."""

JOBS = "tuning-jobs"
"""Name of the folder with the files of tuning jobs, in the same home."""

GPUS = "gpus"
"""Name of the folder with the record of who has which GPU, in the same home."""

SHOWN = 3
"""Tuning jobs that an error names."""


def make_home(home: Path) -> None:
    """Make the folder of a home, if it isn't there.

    Raises:
        StoreUnusable: It can't be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # requests may hold secrets in Environment
    except OSError as error:
        raise no_folder(home, error) from error


def files_of_tuning_jobs(home: Path) -> Sequence[str]:
    """Return the names of the folders of tuning jobs in a home that have any files, sorted."""
    try:
        return sorted(folder.name for folder in (home / JOBS).iterdir() if folder.is_dir() and any(folder.iterdir()))
    except FileNotFoundError:
        return ()


def check_no_files(home: Path) -> None:
    """Raise StoreDamaged where a home that has files of tuning jobs has no records of them."""
    if names := files_of_tuning_jobs(home):
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise StoreDamaged(
            f"{home / FILE}: the database is missing or empty, but {home / JOBS} has the files of tuning jobs "
            f"({', '.join(names[:SHOWN])}{more}). Put the database back, or restore a backup (`alfine restore`); docs/how-to/repair-a-home.md "
            f"says more. To begin anew, move {home / JOBS} away."
        )
