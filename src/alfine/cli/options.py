"""Options that commands share (--home, --json), and the home that they open."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from alfine.core.errors import NotFound
from alfine.core.fields import WORDS

if TYPE_CHECKING:
    from alfine.core.arns import Arns
    from alfine.store.access_keys import Keys

F = TypeVar("F", bound=Callable[..., Any])

NUMBERS: Mapping[str, click.IntRange | click.FloatRange] = {
    "count": click.IntRange(min=1),
    "from_zero": click.IntRange(min=0),
    "positive": click.FloatRange(min=0, min_open=True),
    "amount": click.FloatRange(min=0),
}
"""The check of an option's value, by its field's kind."""


def _remember(context: click.Context, option: click.Parameter, value: Path | str | None) -> None:
    if value is not None:
        context.meta[f"alfine.{option.name}"] = value


def home_option(command: F) -> F:
    """Add --home and --store, which may stand before or after the command; the later ones count."""
    store = click.option(
        "--store",
        metavar="URL",
        expose_value=False,
        callback=_remember,
        help="PostgreSQL database. Default: $ALFINE_STORE, else [store] url of the settings, else SQLite in the home.",
    )
    home = click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        expose_value=False,
        callback=_remember,
        help="Folder of the tuning jobs. Default: $ALFINE_HOME, else ~/.alfine. May also stand before the command.",
    )
    return home(store(command))


def field_option(word: str, more: str = "", **settings: Any) -> Callable[[F], F]:
    """Return the option of a field of a job: «--max-parallel», with the help of the table of fields.

    Args:
        word: The field's word in `alfine.core.fields`.
        more: What the help says of this command.
        settings: Settings of the option for `click.option`, such as the choices of a field that has some.
    """
    field = WORDS[word]
    help_text = f"{field.help.replace('`', '')} {more}".strip()
    if field.kind in NUMBERS:
        settings.setdefault("type", NUMBERS[field.kind])
    return click.option(f"--{word.replace('_', '-')}", help=help_text, **settings)


def json_option(command: F) -> F:
    """Add --json, which the command gets as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with the field names of SageMaker's API.")(
        command
    )


def confirm(question: str, without_terminal: str) -> None:
    """Ask the user for confirmation; end the command where they don't give it.

    Raises:
        UsageError: There is no terminal to ask at; the message ends with `without_terminal`.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"There is no terminal to ask for confirmation. {without_terminal}")
    click.confirm(question, abort=True, err=True)


def chosen_home() -> Path:
    """Return the folder that --home or the environment names."""
    from alfine.store.home_folder import home_folder

    return home_folder(click.get_current_context().meta.get("alfine.home"))


def named_store() -> str | None:
    """Return the URL that --store names; None without one."""
    url: str | None = click.get_current_context().meta.get("alfine.store")
    return url


def chosen_database() -> str | None:
    """Return the URL of the PostgreSQL database that --store, the environment or the home's settings name; None for SQLite."""
    from alfine.store.config import Config
    from alfine.store.store_url import chosen_store

    return chosen_store(named_store(), Config.at(chosen_home()).store.url)


def refuse_postgresql(command: str) -> None:
    """Refuse a command that knows only the SQLite database in a home."""
    from alfine.store.store_url import shown_url

    if (url := chosen_database()) is not None:
        raise click.UsageError(
            f"`alfine {command}` knows only homes with SQLite, and this one's records are in {shown_url(url)}. Use PostgreSQL's own "
            "pg_dump and pg_restore for the records, and copy the home's folder: docs/how-to/use-postgresql.md says how."
        )


@contextmanager
def open_home(*, create: bool = False, arns: Arns | None = None) -> Iterator[Any]:
    """Open the chosen home.

    Args:
        create: Make the home if it doesn't exist.
        arns: The account and region of its ARNs, as for `Home`.

    Raises:
        NotFound: The folder is no home, and `create` is False.
        StoreUnusable: Its database can't be opened or read.
    """
    from alfine.jobs.home import Home, is_home

    folder, store = chosen_home(), named_store()
    if not create and not is_home(folder, store):
        raise NotFound(f"There are no tuning jobs in {folder}. Choose another home with --home or ALFINE_HOME.")
    with Home(folder, store=store, arns=arns) as home:
        yield home


@contextmanager
def home_keys() -> Iterator[Keys]:
    """Open the access keys of the chosen home; only those in a database need it open."""
    from alfine.store.access_keys import KeyFiles

    if chosen_database() is None:
        yield KeyFiles(chosen_home())
        return
    with open_home() as home:
        yield home.keys


@contextmanager
def home_to_look_into() -> Iterator[Any]:
    """Open the chosen home to read its settings, buckets and past jobs; if it doesn't exist, open an empty temporary one."""
    from alfine.jobs.home import Home
    from alfine.store.store_url import is_store_chosen

    if chosen_home().is_dir() or is_store_chosen(named_store()):
        with open_home(create=True) as home:
            yield home
        return
    with tempfile.TemporaryDirectory(prefix="alfine-") as place, Home(place) as home:
        yield home
