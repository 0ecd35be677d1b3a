"""alfine doctor: check what works on this machine."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from alfine.cli.doctor_trackers import tracker_rows
from alfine.cli.options import chosen_database, chosen_home, home_option, json_option, named_store
from alfine.cli.progress import working
from alfine.core.errors import AlfineError, InvalidSpec
from alfine.core.wording import count_of, percent, size
from alfine.store.store_url import is_store_chosen, shown_url

EPILOG = """
\b
Examples:
  alfine doctor
  alfine doctor --json | jq '.Checks[] | select(.Works | not)'
  alfine doctor --check
"""

PORT = 8765
"""The default port of `alfine serve`."""

LEAST_PYTHON = (3, 11)
"""Oldest version of Python."""

LEAST_SQLITE = (3, 35)
"""Oldest version of SQLite: the store uses RETURNING."""

LEAST_FREE_BYTES = 1 << 30
"""Free bytes on the disk below which the check fails."""

FEW_TRAINING_JOBS = 1000
"""Training jobs at once below which the limit on descriptors is worth a hint."""

EXTRAS = {
    "plots": ("vl_convert",),
    "xgboost": ("xgboost", "sklearn"),
}


@dataclass(frozen=True, slots=True)
class MachineCheck:
    """The result of one check.

    Attributes:
        name: What was checked.
        works: Whether it works.
        detail: The version or the reason.
        needed: Whether alfine can't work without it.
    """

    name: str
    works: bool
    detail: str
    needed: bool = False


@click.command(epilog=EPILOG)
@click.option("--check", is_flag=True, help="Check the home instead: database, records, files, and what runs for it.")
@home_option
@json_option
@click.pass_context
def doctor(context: click.Context, *, check: bool, as_json: bool) -> None:
    """Check which parts of alfine work on this machine, and why others don't; with --check, check a home.

    It checks Python, SQLite, the home and its disk, the limit on open files, the GPUs, the runners (processes, sandboxes, containers, the
    nodes of a Ray cluster), the server's port, experiment trackers, and optional packages. The exit code is 1 if something is missing that alfine needs.

    With --check it looks for damaged pages and records in the database, for records without files and files without
    records, for objects of buckets whose record is damaged, and for processes, containers, their networks and temporary files that nothing
    needs any more. In a PostgreSQL database it checks the records. It changes nothing, prints what to do, and may run while the home is used. The exit code is 1 if
    anything is wrong.
    """
    context.exit(_check_home(as_json=as_json) if check else _check_machine(as_json=as_json))


def _check_home(*, as_json: bool) -> int:
    from alfine.cli.output import print_json
    from alfine.jobs.check_home import check_home

    with working(f"Checking {chosen_home()}"):
        checked = check_home(chosen_home(), _database())
    problems = checked.problems
    if as_json:
        rows = [{"Kind": p.kind, "Where": p.where, "What": p.what, "Remedy": p.remedy} for p in problems]
        print_json({"Home": str(checked.home), "Checked": checked.checked, "Problems": rows})
        return 1 if problems else 0
    for problem in problems:
        click.echo(
            f"{click.style(problem.kind, fg='red', bold=True)}: {problem.where}\n  {problem.what}\n  -> {problem.remedy}"
        )
    counts = checked.checked
    what = (
        f"{count_of(counts['TuningJobs'], 'tuning job')}, {count_of(counts['TrainingJobs'])}, {count_of(counts['Objects'], 'object')}"
        if counts
        else "no records"
    )
    click.echo(
        f"{checked.home}: {count_of(len(problems), 'problem') if problems else 'no problems'} found ({what} checked)."
    )
    return 1 if problems else 0


def _check_machine(*, as_json: bool) -> int:
    from rich.text import Text

    from alfine.cli.output import print_json, show, table

    with working("Checking this machine"):
        checks = list(_checks(chosen_home()))
    if as_json:
        rows = [
            {"Name": check.name, "Works": check.works, "Detail": check.detail, "Needed": check.needed}
            for check in checks
        ]
        print_json({"Checks": rows})
    else:
        rows_shown = table("", "Check", "Result")
        for check in checks:
            mark, style = ("ok", "green") if check.works else ("NO", "red") if check.needed else ("no", "yellow")
            rows_shown.add_row(Text(mark, style=style), check.name, check.detail)
        show(rows_shown)
    return 1 if any(check.needed and not check.works for check in checks) else 0


def _checks(home: Path) -> Iterator[MachineCheck]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield MachineCheck("python", sys.version_info >= LEAST_PYTHON, f"{version}, {sys.executable}", needed=True)
    url = _database()
    yield _sqlite(home) if url is None else _postgres(url)
    yield from _disk(home)
    yield _descriptors()
    yield _gpus(home)
    yield from _runners(home)
    yield _port()
    yield from (MachineCheck(name, works, detail) for name, works, detail in tracker_rows(home, named_store()))
    for extra, modules in EXTRAS.items():
        absent = [name for name in modules if find_spec(name) is None]
        detail = f"missing: {', '.join(absent)}. Run: pip install 'alfine[{extra}]'" if absent else "installed"
        yield MachineCheck(f"extra {extra}", not absent, detail)


def _database() -> str | None:
    """Return the URL of the PostgreSQL database; None for SQLite, also where the settings can't be read, which the check itself tells."""
    try:
        return chosen_database()
    except InvalidSpec:
        if is_store_chosen(named_store()):
            raise
        return None


def _postgres(url: str) -> MachineCheck:
    """Check that the PostgreSQL server answers, and keeps what was committed when its machine crashes."""
    from alfine.store.check_database import server_state

    try:
        state = server_state(url)
    except AlfineError as error:
        return MachineCheck("postgresql", works=False, detail=str(error), needed=True)
    detail = f"{state.version} at {shown_url(url)}, takes {state.connections} connections"
    if state.risks:
        detail += f". A crash of its machine may lose what was recorded: {', '.join(state.risks)}"
    return MachineCheck("postgresql", works=not state.risks, detail=detail)


def _sqlite(home: Path) -> MachineCheck:
    """Check SQLite on the disk of the home: its WAL mode doesn't work on every file system."""
    name, version = "sqlite", sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        return MachineCheck(name, works=False, detail=f"{version}, but alfine needs 3.35 or newer", needed=True)
    try:
        with (
            tempfile.TemporaryDirectory(dir=_existing(home)) as folder,
            closing(sqlite3.connect(Path(folder) / "try.db")) as connection,
        ):
            [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("CREATE TABLE t (x)")
    except (OSError, sqlite3.Error) as error:
        return MachineCheck(
            name, works=False, detail=f"{version}; a database can't be created in {home}: {error}", needed=True
        )
    works = mode == "wal"
    return MachineCheck(
        name,
        works,
        version if works else f"{version}; the file system of {home} doesn't support WAL mode. Choose another --home",
        needed=True,
    )


def _disk(home: Path) -> Iterator[MachineCheck]:
    free = shutil.disk_usage(_existing(home)).free
    yield MachineCheck("disk", free >= LEAST_FREE_BYTES, f"{size(free)} free at {home}")


def _descriptors() -> MachineCheck:
    """Check how many training jobs a launcher can supervise at once: each takes a descriptor."""
    from alfine.runners.launcher.capacity import RESERVE, UNLIMITED, limits

    _, hard = limits()
    if hard == UNLIMITED:
        return MachineCheck("descriptors", works=True, detail="no limit")
    most = hard - RESERVE
    detail = f"{hard:,} open files (hard limit): some {most:,} training jobs at once"
    if most < FEW_TRAINING_JOBS:
        detail += "; more wait for their turn. Raise it: ulimit -Hn, or LimitNOFILE= of a systemd unit"
    return MachineCheck("descriptors", most >= FEW_TRAINING_JOBS, detail)


def _gpus(home: Path) -> MachineCheck:
    from alfine.runners.gpu_slots import GpuSlots
    from alfine.runners.gpus import gpus_of_machine
    from alfine.store.config import Config
    from alfine.store.home_files import GPUS

    gpus = gpus_of_machine(Config.at(home).run.gpus)
    if not gpus:
        return MachineCheck(
            "gpus", works=False, detail="none. [run] gpus in alfine.toml names those that alfine doesn't find"
        )
    taken = [f"{gpu} ({percent(share)} taken)" for gpu, share in GpuSlots(home / GPUS, gpus).taken().items()]
    return MachineCheck("gpus", works=True, detail=", ".join(taken))


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())


def _runners(home: Path) -> Iterator[MachineCheck]:
    from alfine.cli.doctor_ray import ray_rows
    from alfine.runners import sandbox
    from alfine.runners.container_engine import ENGINES, engine_of
    from alfine.store.config import Config

    running = Config.at(home).run
    linux = sys.platform.startswith("linux")
    yield MachineCheck("runner inline", works=True, detail="Python functions, in threads")
    yield MachineCheck("runner process", works=True, detail="scripts and commands, as processes", needed=True)
    yield MachineCheck(
        "warm starts", linux, "training jobs start from preloaded imports" if linux else "they need Linux"
    )
    trouble = _sandbox_trouble(network=True)
    yield MachineCheck(
        "runner sandbox",
        not trouble,
        trouble or "bubblewrap: each training job has its own /opt/ml; all other files are read-only",
    )
    stay_open = sandbox.why_ports_stay_open()
    yield MachineCheck(
        "alfine's port in sandboxes",
        not stay_open,
        f"{stay_open}: scripts reach it, but need a key" if stay_open else "closed to training jobs",
    )
    isolated = _sandbox_trouble(network=False)
    yield MachineCheck("network isolation", not isolated, isolated or "EnableNetworkIsolation works in sandboxes")
    for name in ENGINES if running.engine == "auto" else (running.engine,):
        reason = engine_of(name)[1]
        yield MachineCheck(
            f"runner container ({name})",
            not reason,
            reason or "it answers; whether it can start containers shows with the first one",
        )
    yield from (MachineCheck(name, works, detail) for name, works, detail in ray_rows(home))
    yield MachineCheck("runner by default", works=True, detail=_default(running.runner, trouble))


def _sandbox_trouble(*, network: bool) -> str:
    from alfine.runners import sandbox

    try:
        return sandbox.why_not(network=network)
    except BlockingIOError as error:
        return f"{error.strerror}."


def _default(runner: str, trouble: str) -> str:
    """Return where scripts of requests that name an image run."""
    if runner != "auto":
        return f"{runner}, by [run] in alfine.toml"
    return (
        "process, because sandboxes don't work here"
        if trouble
        else "sandbox for requests that name an image, process for local scripts"
    )


def _port() -> MachineCheck:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", PORT))
        except OSError as error:
            return MachineCheck(
                "port", works=False, detail=f"{PORT} on 127.0.0.1: {error.strerror} (perhaps by another alfine serve)"
            )
    return MachineCheck("port", works=True, detail=f"{PORT} on 127.0.0.1 is free")
