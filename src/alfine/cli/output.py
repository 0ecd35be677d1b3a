"""Print results: tables for people, at the terminal's width or, in a pipe, unfolded; JSON for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from alfine.api.printable import Printable

PIPED_WIDTH = 100_000
"""Width in a pipe: nothing is cut or folded where a program reads."""


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    """Convert what `json` can't write: numpy's scalars, instants."""
    return value.item() if hasattr(value, "item") else str(value)


def show(*renderables: RenderableType) -> None:
    """Print with colours at the terminal's width, or as plain text where there is no terminal: unfolded, without trailing blanks."""
    to = Console(highlight=False, markup=False)  # brackets in what users wrote are text
    if to.is_terminal:
        for renderable in renderables:
            to.print(Printable(Text(renderable) if isinstance(renderable, str) else renderable))
        return
    for line in plain_lines(*renderables):
        click.echo(line)


def plain_lines(*renderables: RenderableType) -> Iterator[str]:
    """Yield what `show` prints where there is no terminal, line by line."""
    plain = Console(highlight=False, markup=False, width=PIPED_WIDTH, file=io.StringIO())
    for renderable in renderables:
        plain.print(Printable(Text(renderable) if isinstance(renderable, str) else renderable))
    for line in plain.file.getvalue().splitlines():  # type: ignore[attr-defined]
        yield line.rstrip()


def terminal_width() -> int:
    """Return the columns of the terminal; PIPED_WIDTH in a pipe."""
    to = Console()
    return to.width if to.is_terminal else PIPED_WIDTH


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table with these columns, some of them aligned right. Long cells are folded, never cut."""
    result = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in columns:
        result.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return result


def facts(rows: Mapping[str, RenderableType | None]) -> Table:
    """Return a table of names with their values; names without a value (None) are left out."""
    result = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    result.add_column(style="dim", no_wrap=True)
    result.add_column(overflow="fold")
    for name, value in rows.items():
        if value is not None:
            result.add_row(name, Text(value) if isinstance(value, str) else value)
    return result


def local_time(iso: str | None) -> str | None:
    """Return an instant of the API in this machine's time zone: «2026-11-23 23:15:02»; None for None."""
    return None if iso is None else f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M:%S}"


STATUS_STYLES = {"Completed": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow", "InProgress": "cyan"}
"""Colours of statuses."""


def status(name: str) -> Text:
    """Return the name of a status in its colour."""
    return Text(name, style=STATUS_STYLES.get(name, ""))
