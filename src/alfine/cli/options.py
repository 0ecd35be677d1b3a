"""What the commands have in common: --home, --json, and the home that they open."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from alfine.core.errors import AlfineError, NotFound, StoreUnusable
from alfine.core.fields import WORDS

if TYPE_CHECKING:
    from alfine.core.arns import Arns

F = TypeVar("F", bound=Callable[..., Any])

NUMBERS: Mapping[str, click.IntRange | click.FloatRange] = {
    "count": click.IntRange(min=1),
    "from_zero": click.IntRange(min=0),
    "positive": click.FloatRange(min=0, min_open=True),
    "amount": click.FloatRange(min=0),
}
"""How the value of an option is checked, by its field's kind."""


class HomeUnusable(AlfineError):
    """The home's database can't be opened."""


def _remember(context: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        context.meta["alfine.home"] = value


def home_option(command: F) -> F:
    """--home, before or after the command: the later one counts."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="FOLDER",
        expose_value=False,
        callback=_remember,
        help="Where tuning jobs are kept (else $ALFINE_HOME, else ~/.alfine); before or after the command.",
    )(command)


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
    """--json, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, under the names of AMT's API.")(command)


def chosen_home() -> Path:
    """The folder that --home, before or after the command, or the environment names."""
    from alfine.jobs.home import home_folder

    return home_folder(click.get_current_context().meta.get("alfine.home"))


@contextmanager
def open_home(*, create: bool = False, arns: Arns | None = None) -> Iterator[Any]:
    """The home. Unless `create`, one that isn't there is an error instead of a new empty folder. arns: see `Home`."""
    from alfine.jobs.home import Home, is_home

    folder = chosen_home()
    if not create and not is_home(folder):
        raise NotFound(f"There are no tuning jobs in {folder}. Another home is chosen with --home or ALFINE_HOME.")
    try:
        home = Home(folder, arns=arns)
    except StoreUnusable as error:
        raise HomeUnusable(f"{error}. Choose another --home.") from error
    with home:
        yield home


@contextmanager
def home_to_look_into() -> Iterator[Any]:
    """The chosen home for its settings, buckets and past jobs; one that isn't there isn't made."""
    from alfine.jobs.home import Home

    if chosen_home().is_dir():
        with open_home(create=True) as home:
            yield home
        return
    with tempfile.TemporaryDirectory(prefix="alfine-") as place, Home(place) as home:
        yield home
