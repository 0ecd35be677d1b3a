"""alfine doctor: check what works on this machine."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

from alfine.cli.options import chosen_home, home_option, json_option

EPILOG = """
\b
Examples:
  alfine doctor
  alfine doctor --json | jq '.Checks[] | select(.Works | not)'
"""

PORT = 8765  # that `alfine serve` takes
LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 35)  # RETURNING
ROOM = 1 << 30  # bytes on disk below which a warning is in place
EXTRAS = {
    "plots": ("matplotlib", "plotly"),
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
@home_option
@json_option
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check which parts of alfine work on this machine, and why others don't.

    It checks Python, SQLite, the home and its disk, the runners (processes, sandboxes, containers), the server's port, and
    optional packages. The exit code is 1 if something is missing that alfine needs.
    """
    from rich.text import Text

    from alfine.cli.output import print_json, show, table

    checks = list(_checks(chosen_home()))
    if as_json:
        rows = [
            {"Name": each.name, "Works": each.works, "Detail": each.detail, "Needed": each.needed} for each in checks
        ]
        print_json({"Checks": rows})
    else:
        rows_shown = table("", "What", "Detail")
        for each in checks:
            mark, style = ("ok", "green") if each.works else ("NO", "red") if each.needed else ("no", "yellow")
            rows_shown.add_row(Text(mark, style=style), each.name, each.detail)
        show(rows_shown)
    context.exit(1 if any(each.needed and not each.works for each in checks) else 0)


def _checks(home: Path) -> Iterator[MachineCheck]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield MachineCheck("python", sys.version_info >= LEAST_PYTHON, f"{version}, {sys.executable}", needed=True)
    yield _sqlite(home)
    yield from _disk(home)
    yield from _runners(home)
    yield _port()
    for extra, modules in EXTRAS.items():
        absent = [name for name in modules if find_spec(name) is None]
        detail = f"without {', '.join(absent)}: pip install 'alfine[{extra}]'" if absent else "installed"
        yield MachineCheck(f"extra {extra}", not absent, detail)


def _sqlite(home: Path) -> MachineCheck:
    """SQLite where the store lies, since WAL needs a file system that shares memory."""
    name, version = "sqlite", sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        return MachineCheck(name, works=False, detail=f"{version}; it must be 3.35 or newer", needed=True)
    try:
        with tempfile.TemporaryDirectory(dir=_existing(home)) as folder:
            connection = sqlite3.connect(Path(folder) / "try.db")
            [mode] = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("CREATE TABLE t (x)")
            connection.close()
    except (OSError, sqlite3.Error) as error:
        return MachineCheck(
            name, works=False, detail=f"{version}; no database can be made in {home}: {error}", needed=True
        )
    works = mode == "wal"
    return MachineCheck(
        name, works, version if works else f"{version}; {home} can't have a database in WAL mode", needed=True
    )


def _disk(home: Path) -> Iterator[MachineCheck]:
    free = shutil.disk_usage(_existing(home)).free
    yield MachineCheck("disk", free >= ROOM, f"{free / (1 << 30):.1f} GiB free at {home}")


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _runners(home: Path) -> Iterator[MachineCheck]:
    from alfine.runners import sandbox
    from alfine.runners.container import ENGINES, engine_of
    from alfine.store.config import Config

    running = Config.at(home).run
    linux = sys.platform.startswith("linux")
    yield MachineCheck("runner inline", works=True, detail="Python functions, in threads")
    yield MachineCheck("runner process", works=True, detail="scripts and commands, as processes", needed=True)
    yield MachineCheck("warm starts", linux, "forks from preloaded imports" if linux else "they need Linux")
    trouble = sandbox.why_not()
    yield MachineCheck(
        "runner sandbox", not trouble, trouble or "bubblewrap: /opt/ml of its own, this machine read-only"
    )
    isolated = sandbox.why_not(network=False)
    yield MachineCheck("network isolation", not isolated, isolated or "EnableNetworkIsolation holds in sandboxes")
    for name in ENGINES if running.engine == "auto" else (running.engine,):
        reason = engine_of(name)[1]
        yield MachineCheck(
            f"runner container ({name})",
            not reason,
            reason or "it answers; only a first container shows whether it starts any",
        )
    yield MachineCheck("runner by default", works=True, detail=_default(running.runner, trouble))


def _default(runner: str, trouble: str) -> str:
    """Where scripts that come with an image's name run."""
    if runner != "auto":
        return f"{runner}, says [run] in alfine.toml"
    return (
        "process: there is no sandbox"
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
                "port", works=False, detail=f"{PORT} on 127.0.0.1: {error.strerror} (an alfine serve, perhaps)"
            )
    return MachineCheck("port", works=True, detail=f"{PORT} on 127.0.0.1 is free")
