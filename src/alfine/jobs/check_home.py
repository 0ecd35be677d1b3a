"""Checks a home without changing it: its database, the records in it, the files beside it, and what runs for it."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from alfine.core.errors import InvalidSpec, NotFound, StoreUnusable
from alfine.core.facts import is_terminal
from alfine.jobs.check_buckets import bucket_problems
from alfine.jobs.home import is_home
from alfine.runners.container_engine import engine_of
from alfine.runners.launcher import EXIT, control_path, read_json
from alfine.runners.strays import containers_of, idle_launchers, networks_of, processes_of
from alfine.store import queries
from alfine.store.check_database import bad_records, damages, is_current, revision_of, server_state
from alfine.store.config import Config
from alfine.store.home_files import FILE, JOBS, files_of_tuning_jobs
from alfine.store.queries import TrainingJobFolder
from alfine.store.schema import REVISION
from alfine.store.store import Store
from alfine.store.store_url import shown_url

REPAIR = "docs/how-to/repair-a-home.md"
LEFT_OVER_SECONDS = 24 * 3600
"""Age in seconds from which on a temporary file or folder belongs to a process that died."""

TEMPORARY = (
    ".alfine-backup-*",
    f".{FILE}.*",
    "keys/.new-*",
    "buckets/.new-*",
    "buckets/.gone-*",
    f"{JOBS}/*/.inputs/.new-*",
)
"""Below the home: what is renamed or removed once it is complete."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a home.

    Attributes:
        kind: settings, database, record, folder, bucket, process, container, network or temporary.
        where: The file, the record or the process.
        what: What is wrong with it.
        remedy: What to do.
    """

    kind: str
    where: str
    what: str
    remedy: str


@dataclass(slots=True)
class HomeCheck:
    """The result of a check: what was checked, and what was found.

    Attributes:
        home: The home.
        problems: What is wrong.
        checked: How many of what was looked at, by name.
    """

    home: Path
    problems: list[Problem] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)


def check_home(home: Path, store: str | None = None) -> HomeCheck:
    """Check a home, which may be in use. Nothing is changed.

    Args:
        home: The home.
        store: The URL of its PostgreSQL database, of which the records are checked: its pages are the server's business, and the files
            of training jobs may lie on other machines.

    Raises:
        NotFound: There is no home.
        StoreBusy: The database can't be reached.
        StoreUnusable: The database refuses the connection.
    """
    if store is not None:
        return _check_server(home, store)
    if not is_home(home):
        raise NotFound(f"There are no tuning jobs in {home}. Choose another home with --home or ALFINE_HOME.")
    check = HomeCheck(home)
    check.problems += _settings(home)
    check.problems += _database(home)
    if is_current(home / FILE):
        try:
            _check_records(check)
        except StoreUnusable:
            if not check.problems:  # else what is damaged has been told already
                raise
    check.problems += _left_over(home)
    return check


def _check_server(home: Path, url: str) -> HomeCheck:
    check = HomeCheck(home)
    check.problems += _settings(home)
    revision = server_state(url).revision
    if revision not in (None, REVISION):
        what = f"has revision {revision}, this alfine's is {REVISION}: its records weren't checked"
        check.problems.append(
            Problem("database", shown_url(url), what, "Any other command upgrades it: copy it first (pg_dump).")
        )
    if revision == REVISION:
        with closing(Store(url)) as store:
            check.problems += _bad_records(store)
            with store.reading() as connection:
                rows = queries.training_job_folders(connection)
        check.checked = {"TuningJobs": len({row.tuning_job for row in rows}), "TrainingJobs": len(rows), "Objects": 0}
        check.problems += _processes({home / JOBS / row.tuning_job / row.training_job: row for row in rows}, home)
    check.problems += _left_over(home)
    return check


def _bad_records(store: Store) -> list[Problem]:
    remedy = f"Get the record back, or delete the tuning job: {REPAIR}"
    return [Problem("record", bad.where, bad.what, remedy) for bad in bad_records(store)]


def _settings(home: Path) -> Iterator[Problem]:
    try:
        Config.at(home)
    except InvalidSpec as error:
        for fault in error.faults:
            yield Problem("settings", fault.path, fault.message, "Correct the file.")


def _database(home: Path) -> Iterator[Problem]:
    file = home / FILE
    revision = revision_of(file)
    wrong = list(damages(file)) if file.exists() else []
    for sentence in wrong:
        yield Problem("database", str(file), sentence, f"Get the records back: {REPAIR}")
    if not wrong and revision is None and (names := files_of_tuning_jobs(home)):
        what = f"is missing or empty, beside the files of {', '.join(names[:3])}"
        yield Problem("database", str(file), what, f"Restore a backup: {REPAIR}")
    elif not wrong and revision not in (None, REVISION):
        what = f"has revision {revision}, this alfine's is {REVISION}: its records weren't checked"
        yield Problem("database", str(file), what, "Any other command upgrades it, after copying it.")


def _check_records(check: HomeCheck) -> None:
    home = check.home
    with closing(Store(f"sqlite:///{home / FILE}")) as store:
        check.problems += _bad_records(store)
        with store.reading() as connection:
            rows = queries.training_job_folders(connection)
    by_folder = {home / JOBS / row.tuning_job / row.training_job: row for row in rows}
    check.checked = {"TuningJobs": len({row.tuning_job for row in rows}), "TrainingJobs": len(rows)}
    check.problems += _folders(home, by_folder)
    check.problems += _processes(by_folder, home)
    objects, wrong = bucket_problems(home, [row for row in rows if row.uploaded])
    check.checked["Objects"] = objects
    check.problems += [Problem("bucket", *each) for each in wrong]


def _folders(home: Path, by_folder: Mapping[Path, TrainingJobFolder]) -> Iterator[Problem]:
    for folder, row in by_folder.items():
        if not folder.is_dir() and _had_files(folder, row):
            what = f"the files of training job {row.training_job} ({row.status}) are gone: its log and its model"
            yield Problem("folder", str(folder), what, "Restore them from a backup, or delete the tuning job.")
        elif read_json(control_path(str(folder), EXIT)) == {}:
            what = f"the record of the end of training job {row.training_job} can't be read"
            yield Problem(
                "folder", control_path(str(folder), EXIT), what, "alfine ends it as Failed when it runs the tuning job."
            )
    tuning_jobs = {folder.parent for folder in by_folder}
    for top in sorted((home / JOBS).iterdir()) if (home / JOBS).is_dir() else ():
        names = sorted(top.iterdir()) if top.is_dir() else []
        strangers = [folder for folder in names if folder not in by_folder and not folder.name.startswith(".")]
        if top not in tuning_jobs and not strangers and names:
            strangers = [top]
        for folder in strangers:
            what = "nothing is recorded of these files: their job was deleted without them, or its record is lost"
            yield Problem("folder", str(folder), what, f"If they aren't needed: rm -r {shlex.quote(str(folder))}")


def _had_files(folder: Path, row: TrainingJobFolder) -> bool:
    """Return whether a training job without a folder must have had one: not a Python function, nor one that was imported or never ran."""
    return not row.in_process and (row.log_offset > 0 or (row.status == "Completed" and folder.parent.is_dir()))


def _processes(by_folder: Mapping[Path, TrainingJobFolder], home: Path) -> Iterator[Problem]:
    for folder, pids in processes_of(by_folder).items():
        row = by_folder[folder]
        if is_terminal(row.status):
            what = f"training job {row.training_job} has ended ({row.status}), but its processes run"
            numbers = " ".join(map(str, sorted(pids)))
            yield Problem("process", numbers, what, f"End them: kill {numbers}")
    for pid in idle_launchers(home):
        yield Problem(
            "process", str(pid), "a launcher without training jobs, whose alfine has ended", f"End it: kill {pid}"
        )
    yield from _containers(by_folder, home)


def _containers(by_folder: Mapping[Path, TrainingJobFolder], home: Path) -> Iterator[Problem]:
    try:
        engine = engine_of(Config.at(home).run.engine)[0]
    except InvalidSpec:
        return  # the settings are told as a problem of their own
    if engine is None:
        return
    try:
        for container, folder in containers_of(engine, home / JOBS):
            if reason := _why_needless(by_folder.get(folder)):
                what = f"a container of {folder.name}, which {reason}"
                yield Problem("container", container, what, f"Remove it: {engine.command} rm --force {container}")
        for network, folder in networks_of(engine, home / JOBS):
            if reason := _why_needless(by_folder.get(folder)):
                what = f"the network of the containers of {folder.name}, which {reason}"
                yield Problem("network", network, what, f"Remove it: {engine.command} network rm {network}")
    except OSError as error:
        yield Problem("container", engine.command, str(error), "Check the container engine.")


def _why_needless(row: TrainingJobFolder | None) -> str:
    """Return why a training job needs no containers any more; "" where it may."""
    if row is None:
        return "is not recorded"
    return "has ended" if is_terminal(row.status) else ""


def _left_over(home: Path) -> Iterator[Problem]:
    beside = [home.parent.glob(f".{home.name}.restored-*"), Path(tempfile.gettempdir()).glob("alfine-*")]
    for path in sorted(path for group in [*map(home.glob, TEMPORARY), *beside] for path in group):
        if _age(path) > LEFT_OVER_SECONDS:
            what = "a temporary file or folder that a process left when it died"
            yield Problem("temporary", str(path), what, f"Remove it: rm -r {shlex.quote(str(path))}")


def _age(path: Path) -> float:
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0  # it was renamed or removed meanwhile: it isn't left over
