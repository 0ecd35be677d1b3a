"""alfine store copy FROM TO: move a home's records from SQLite to PostgreSQL, or back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alfine.cli.options import json_option
from alfine.cli.progress import showing_progress
from alfine.core.errors import NotFound
from alfine.core.wording import count_of

if TYPE_CHECKING:
    from alfine.store.store import Store

EPILOG = """
\b
Examples:
  alfine store copy ~/.alfine postgresql://alfine@db.example/alfine
  alfine store copy postgresql://alfine@db.example/alfine ~/.alfine
"""


@click.group(epilog=EPILOG)
def store() -> None:
    """Copy a home's records from SQLite to PostgreSQL, or back."""


@store.command(epilog=EPILOG)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy(*, source: str, target: str, as_json: bool) -> None:
    """Copy all records from one database into another one that is empty, and check the copy.

    FROM and TO are each the folder of a home, for the SQLite database in it, or the URL of a PostgreSQL database. FROM isn't changed.
    Either all is copied or nothing. End every alfine that runs tuning jobs of FROM first: training jobs run on, and the next
    alfine finds them. Files of training jobs and buckets stay in the home's folder.
    """
    from alfine.cli.output import print_json
    from alfine.jobs.lease_owner import is_alive
    from alfine.store.copy_records import copy_records
    from alfine.store.stored_keys import keys_of

    with (
        closing(_opened(source, "FROM", create=False)) as old,
        closing(_opened(target, "TO", create=True)) as new,
        showing_progress() as progress,
    ):
        report = copy_records(old, new, is_alive, progress)
        for key in keys_of(old, _folder(source)).all():
            keys_of(new, _folder(target)).add(key)
        name = new.database.name
    if as_json:
        print_json({"Rows": dict(report.rows)})
        return
    jobs, training = count_of(report.tuning_jobs, "tuning job"), count_of(report.training_jobs)
    click.echo(f"Copied to {name}, and checked: {jobs} with {training}, {sum(report.rows.values()):,} rows in all.")
    click.echo(
        "Use it with --store, ALFINE_STORE or [store] url." if new.database.is_postgres else "Use it with --home."
    )


def _folder(place: str) -> Path:
    return Path(place).expanduser().absolute()


def _opened(place: str, where: str, *, create: bool) -> Store:
    """Open the store of a home's folder, or of a URL."""
    from alfine.store.home_files import FILE, make_home
    from alfine.store.store import Store
    from alfine.store.store_url import checked_url

    if "://" in place:
        return Store(checked_url(place, where))
    folder = _folder(place)
    if create:
        make_home(folder)
    elif not (folder / FILE).exists():
        raise NotFound(
            f"There are no tuning jobs in {folder}. FROM must be the folder of a home, or the URL of a database."
        )
    return Store(f"sqlite:///{folder / FILE}")
