"""Restores a home from a backup: everything is written beside the home and checked, and only then takes its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from alfine.core.errors import InUse, NotFound, StorageFull
from alfine.jobs.backup_archive import (
    MANIFEST,
    BackupEntry,
    BadBackup,
    Progress,
    check_complete,
    digest_of,
    entries_of,
    read_manifest,
    silent,
)
from alfine.store.check_database import damages
from alfine.store.home_files import FILE
from alfine.store.sqlite_copy import NO_ROOM
from alfine.store.store import Store


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The content of a restored home.

    Attributes:
        home: The home.
        files: How many files it has.
        made_at: When the backup was made, in ISO 8601.
        kept: Where what was in the home before is now, or None.
        left_out: Sentences about what the backup doesn't have.
    """

    home: Path
    files: int
    made_at: str
    kept: Path | None
    left_out: tuple[str, ...]


def restore(place: Path, home: Path, *, force: bool = False, progress: Progress = silent) -> RestoreReport:
    """Restore a home from a backup.

    Args:
        place: The backup: a file or a folder.
        home: Where the home will be. It must not exist, or be empty.
        force: Keep what is in the home under another name beside it, and restore all the same.
        progress: Called on the way.

    Raises:
        NotFound: There is no backup.
        InUse: The home isn't empty, or an alfine uses it. Nothing was changed.
        BadBackup: The backup is incomplete or damaged. Nothing was changed.
        StorageFull: There is no room. Nothing was changed.
    """
    if not place.exists():
        raise NotFound(f"There is no backup at {place}.")
    full = home.exists() and any(home.iterdir())
    if full and not force:
        raise InUse(
            f"{home} isn't empty. Restore into another folder with --home, or give --force: then what is there is kept beside it, "
            "under another name."
        )
    if users := _users_of(home / FILE):
        raise InUse(f"{home} is in use by {_processes(users)}. End {'it' if len(users) == 1 else 'them'} first.")
    home.parent.mkdir(parents=True, exist_ok=True)
    draft = home.with_name(f".{home.name}.restored-{os.getpid()}")
    try:
        draft.mkdir(mode=0o700)
        told, files = _extracted(place, draft, progress)
        _check_database(place, draft)
        kept = _made_way(home) if full else None
        if home.exists():
            home.rmdir()
        draft.rename(home)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(f"There is no room to restore {place} beside {home}. Nothing was changed.") from error
        raise
    finally:
        if draft.exists():
            shutil.rmtree(draft)
    return RestoreReport(home, files, str(told.get("CreationTime", "")), kept, tuple(told.get("LeftOut", ())))


def _extracted(place: Path, draft: Path, progress: Progress) -> tuple[Mapping[str, Any], int]:
    """Write a backup's files, check them, and return what is told about the backup and the number of files."""
    found: dict[str, BackupEntry] = {}
    told: Mapping[str, Any] = {}
    listed: dict[str, BackupEntry] = {}
    for number, (entry, data) in enumerate(entries_of(place), 1):
        if entry.path == MANIFEST and data is not None:
            told, listed = read_manifest(data, place)
        else:
            _check_path(place, entry.path, found)
            found[entry.path] = _written(draft, entry, data)
            progress("files", number, 0)
    check_complete(place, found, listed)
    _finish(draft, listed)
    return told, sum(bool(entry.sha256) for entry in listed.values())


def _check_path(place: Path, path: str, found: Mapping[str, BackupEntry]) -> None:
    """Refuse what would be written outside of the home: by «..», or through a link of the backup."""
    parts = PurePosixPath(path).parts
    above = ["/".join(parts[:end]) for end in range(1, len(parts))]
    through = any(name in found and found[name].link is not None for name in above)
    if not parts or path in found or path.startswith("/") or ".." in parts or "\0" in path or through:
        raise BadBackup(f"{place}: {path!r} isn't a path that a backup of alfine has.")


def _written(draft: Path, entry: BackupEntry, data: IO[bytes] | None) -> BackupEntry:
    target = draft / entry.path
    if data is None:
        target.mkdir(parents=True, exist_ok=True) if entry.folder else None  # links come last
        return entry
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        checksum = digest_of(data, file)
    return BackupEntry(entry.path, 0, 0, entry.bytes, checksum)


def _finish(draft: Path, listed: Mapping[str, BackupEntry]) -> None:
    """Make the links, and set permissions and times, the deepest first: a folder may forbid to write in it."""
    for entry in sorted(listed.values(), key=lambda each: each.path, reverse=True):
        target = draft / entry.path
        if entry.link is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(entry.link)
        else:
            target.chmod(entry.mode)
            if not entry.folder:
                os.utime(target, ns=(entry.modified_ns, entry.modified_ns))
    os.sync()


def _check_database(place: Path, draft: Path) -> None:
    if not (draft / FILE).exists():
        raise BadBackup(f"{place} has no database ({FILE}).")
    if wrong := next(damages(draft / FILE), None):
        raise BadBackup(f"{place}: its database is damaged: {wrong}")
    Store.at(draft).close()  # of the newest revision from now on


def _made_way(home: Path) -> Path:
    kept = home.with_name(f"{home.name}.before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    home.rename(kept)
    return kept


def _users_of(database: Path) -> list[int]:
    """Return the processes that have a database open. On Linux only; elsewhere none are found."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.path.samestat(link.stat(), database.stat()):
                found.add(int(link.parts[2]))
        except OSError:
            continue  # the process has ended, or is another user's
    return sorted(found - {os.getpid()})


def _processes(pids: list[int]) -> str:
    return f"process {pids[0]}" if len(pids) == 1 else f"processes {', '.join(map(str, pids[:5]))}"
