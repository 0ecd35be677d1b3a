"""Backs up a home while alfine uses it: first the facts, then the files that these facts are about.

What began after the facts were copied isn't in the backup. A training job that runs has in it what it needs to be treated as after a
kill -9: its record as lost, its log and its checkpoints, but nothing else that it wrote so far.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from alfine._version import __version__
from alfine.core.errors import NotFound, StorageFull
from alfine.core.facts import is_terminal
from alfine.jobs.backup_archive import (
    MANIFEST,
    BackupEntry,
    BackupWriter,
    Progress,
    check_complete,
    digest_of,
    entries_of,
    read_manifest,
    silent,
    writing,
)
from alfine.jobs.home import is_home
from alfine.programs.data.buckets.key_names import OURS, decoded
from alfine.programs.data.buckets.object_paths import metadata_file
from alfine.runners.launcher import CONTROL, EXIT, LOG, PROCESS, Beneath
from alfine.runners.launcher.walk import WalkedEntry, walk
from alfine.runners.node_cache import INPUTS
from alfine.store import queries
from alfine.store.access_keys import FOLDER as KEYS
from alfine.store.config import FILE as SETTINGS
from alfine.store.home_files import FILE, JOBS
from alfine.store.sqlite_copy import NO_ROOM, copy_database
from alfine.store.store import Store

BUCKETS = "buckets"

KEPT = ("opt/ml/checkpoints", f"{CONTROL}/{LOG}", f"{CONTROL}/launch.json")
"""What a backup has of a training job that runs, besides the record that it was lost."""

TRIES = 5
"""Number of times that an object is opened that is replaced meanwhile."""

LOST = "It was running when this backup was made"
"""The reason why a training job ended that was running at the backup."""


@dataclass(slots=True)
class BackupReport:
    """The content of a backup.

    Attributes:
        place: The file or folder.
        tuning_jobs: How many.
        training_jobs: How many.
        files: How many files.
        bytes: Their size together.
        left_out: Sentences about what isn't in it.
    """

    place: Path
    tuning_jobs: int = 0
    training_jobs: int = 0
    files: int = 0
    bytes: int = 0
    left_out: list[str] = field(default_factory=list)


def backup(home: Path, place: Path, progress: Progress = silent) -> BackupReport:
    """Copy a home into a new file (.tar, .tar.gz, .tgz) or folder, and read the copy again to check it.

    Args:
        home: The home. Servers and tuning jobs may run in it.
        place: The file or folder, which must not exist.
        progress: Called on the way.

    Raises:
        NotFound: There is no home.
        StoreDamaged: Its database has damaged pages.
        StorageFull: There is no room for the backup; nothing is left of it.
        BadBackup: What was written can't be read again.
    """
    if not is_home(home):
        raise NotFound(f"There are no tuning jobs in {home}. Choose another home with --home or ALFINE_HOME.")
    report = BackupReport(place)
    try:
        with writing(place) as writer:
            _Copy(home, writer, report, progress).make()
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull(
                f"There is no room for the backup at {place}: {error.strerror}. Nothing is left of it."
            ) from error
        raise
    check_backup(place, progress)
    report.files = sum(not (entry.folder or entry.link) for entry in writer.entries)
    report.bytes = sum(entry.bytes for entry in writer.entries)
    return report


def check_backup(place: Path, progress: Progress = silent) -> dict[str, BackupEntry]:
    """Read a whole backup and compare it with its list. Return the list. Raise BadBackup where they differ."""
    found: dict[str, BackupEntry] = {}
    listed: dict[str, BackupEntry] = {}
    for number, (entry, data) in enumerate(entries_of(place), 1):
        if entry.path == MANIFEST and data is not None:
            listed = read_manifest(data, place)[1]
            continue
        checksum = digest_of(data) if data is not None else ""
        found[entry.path] = BackupEntry(entry.path, 0, 0, entry.bytes, checksum, entry.link, entry.folder)
        progress("checked", number, 0)
    check_complete(place, found, listed)
    return listed


class _Copy:
    def __init__(self, home: Path, writer: BackupWriter, report: BackupReport, progress: Progress) -> None:
        self.home, self.writer, self.report, self.progress = home, writer, report, progress
        self.running: list[str] = []
        self.odd = 0
        self.unreadable: list[str] = []

    def make(self) -> None:
        with tempfile.TemporaryDirectory(prefix=".alfine-backup-", dir=self.report.place.parent) as draft:
            copy = Path(draft) / FILE
            copy_database(self.home / FILE, copy, lambda done, total: self.progress("database", done, total))
            jobs = _training_jobs_in(Path(draft))
            self._file(copy, FILE)
        self._settings()
        folders = [(job, name, ended) for job, names in jobs.items() for name, ended in names]
        for number, (job, name, ended) in enumerate(folders, 1):
            self._training_job(job, name, ended=ended)
            self.progress("training jobs", number, len(folders))
        for job in jobs:
            self._tree(f"{JOBS}/{job}/{INPUTS}")
        self._buckets()
        self.report.tuning_jobs, self.report.training_jobs = len(jobs), len(folders)
        self._tell()

    def _tell(self) -> None:
        left = self.report.left_out
        if self.running:
            count = len(self.running)
            left.append(
                f"{count} training job{'s' * (count > 1)} ran meanwhile ({', '.join(self.running[:3])}{', …' * (count > 3)}): of "
                f"{'each' if count > 1 else 'it'} only log and checkpoints are kept; a restored home treats {'them' if count > 1 else 'it'} as "
                "after a kill -9."
            )
        if self.odd:
            left.append(f"{self.odd} pipes, sockets or devices in folders of training jobs.")
        if self.unreadable:
            left.append(f"{len(self.unreadable)} files that can't be read, such as {self.unreadable[0]}.")
        known = {FILE, SETTINGS, KEYS, JOBS, BUCKETS, self.report.place.name}
        others = sorted(
            entry.name
            for entry in self.home.iterdir()
            if entry.name not in known and not entry.name.startswith((".", FILE))
        )
        if others:
            left.append(f"{', '.join(others)} in the home: alfine makes its own part of it again when it's needed.")
        left.append("Scripts and data outside of the home.")
        told = {"AlfineVersion": __version__, "CreationTime": datetime.now(UTC).isoformat(), "LeftOut": left}
        self.writer.finish({**told, "TuningJobs": self.report.tuning_jobs, "TrainingJobs": self.report.training_jobs})

    def _settings(self) -> None:
        if (self.home / SETTINGS).is_file():
            self._file(self.home / SETTINGS, SETTINGS)
        self._tree(KEYS)

    # -- training jobs --

    def _training_job(self, job: str, name: str, *, ended: bool) -> None:
        folder = f"{JOBS}/{job}/{name}"
        control = self.home / folder / CONTROL
        if ended or (control / EXIT).exists():
            self._tree(folder)
        elif (control / PROCESS).exists():
            self.running.append(name)
            for part in KEPT:
                self._tree(f"{folder}/{part}")
            record = {"cause": "lost", "code": None, "signal": None, "ended_at": time.time(), "detail": LOST}
            self.writer.data(f"{folder}/{CONTROL}/{EXIT}", json.dumps(record).encode())

    def _tree(self, path: str) -> None:
        """Copy a file or a folder with everything below it. No link is followed: a training job could have made it."""
        above, _, name = path.rpartition("/")
        with ExitStack() as stack:
            folder = stack.enter_context(Beneath.at(self.home.resolve()))
            if above:
                try:
                    folder = stack.enter_context(folder.folder(above))
                except (FileNotFoundError, NotADirectoryError):
                    return  # there is nothing of this path
            if (status := folder.status(name)) is None:
                return
            self._entry(path, WalkedEntry(name, status, folder))
            if stat.S_ISDIR(status.st_mode):
                self._below(path, folder, name)

    def _below(self, path: str, above: Beneath, name: str) -> None:
        try:
            folder = above.folder(name)
        except OSError:
            self.unreadable.append(path)
            return
        with folder:
            for entry in walk(folder, lambda inside: self.unreadable.append(f"{path}/{inside}")):
                self._entry(f"{path}/{entry.name}", entry)

    def _entry(self, path: str, entry: WalkedEntry) -> None:
        try:
            if entry.kind == stat.S_IFLNK:
                self.writer.link(path, entry.target())
            elif entry.kind == stat.S_IFDIR:
                self.writer.folder(path, entry.status)
            elif entry.kind == stat.S_IFREG:
                with entry.open() as data:
                    self.writer.file(path, data, os.fstat(data.fileno()))
            else:
                self.odd += 1
        except FileNotFoundError:
            pass  # removed since the folder was read: it isn't part of the home any more
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            self.unreadable.append(path)

    def _file(self, source: Path, path: str) -> None:
        with source.open("rb") as data:
            self.writer.file(path, data, os.fstat(data.fileno()))

    # -- buckets --

    def _buckets(self) -> None:
        top = self.home / BUCKETS
        buckets = sorted(entry.name for entry in top.iterdir() if entry.is_dir()) if top.is_dir() else []
        for number, bucket in enumerate(buckets, 1):
            if not bucket.startswith("."):
                self._bucket(top / bucket, f"{BUCKETS}/{bucket}")
            self.progress("buckets", number, len(buckets))

    def _bucket(self, bucket: Path, path: str) -> None:
        record = bucket / OURS / "bucket.json"
        if record.exists():
            self._file(record, f"{path}/{OURS}/{record.name}")
        for file in _objects(bucket):
            inside = file.relative_to(bucket).as_posix()
            odd = f"{OURS}/odd/"
            key = decoded(inside.removeprefix(odd)) if inside.startswith(odd) else inside
            self._object(bucket, path, inside, key)
        uploads = bucket / OURS / "uploads"
        if uploads.is_dir() and any(uploads.iterdir()):
            self.report.left_out.append(f"Uploads in parts to the bucket {bucket.name} that weren't completed.")

    def _object(self, bucket: Path, path: str, inside: str, key: str) -> None:
        """Copy an object together with its record, which is found by the time of the very file that was opened."""
        for _ in range(TRIES):
            try:
                with (bucket / inside).open("rb") as data:
                    status = os.fstat(data.fileno())
                    beside = Path(metadata_file(bucket, key, status.st_mtime_ns))
                    record = beside.read_bytes() if beside.exists() else None
                    if record is None and (bucket / inside).lstat().st_mtime_ns != status.st_mtime_ns:
                        continue  # another object has been put in its place, with a record of its own
                    self.writer.file(f"{path}/{inside}", data, status)
            except FileNotFoundError:
                return  # deleted since the list was made: as if it had been before the backup
            if record is not None:
                self.writer.data(f"{path}/{beside.relative_to(bucket).as_posix()}", record)
            return
        self.unreadable.append(f"{path}/{inside}")


def _training_jobs_in(folder: Path) -> dict[str, list[tuple[str, bool]]]:
    """Return the training jobs of a copied store by tuning job, and whether each has ended; nobody owns a lease in it any more."""
    with closing(Store.at(folder)) as store:
        store.release_all()
        found: dict[str, list[tuple[str, bool]]] = {}
        with store.reading() as connection:
            for row in queries.training_job_folders(connection):
                found.setdefault(row.tuning_job, []).append((row.training_job, is_terminal(row.status)))
        return found


def _objects(bucket: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(bucket):
        here = Path(top)
        if here == bucket / OURS:
            folders[:] = [name for name in folders if name == "odd"]
            continue
        yield from (here / name for name in sorted(names) if not (here / name).is_symlink() and (here / name).is_file())
