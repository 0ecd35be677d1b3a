"""How results are printed: tables for people, at the terminal's width or, piped, as wide as they are; JSON for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from alfine.jobs.wording import Printable

PIPED_WIDTH = 100_000  # nothing is cut or folded where a program reads


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    """What json doesn't know: numpy's scalars, instants."""
    return value.item() if hasattr(value, "item") else str(value)


def show(*renderables: RenderableType) -> None:
    """On a terminal with colours and at its width; elsewhere as plain text, nothing folded and no blanks at line ends."""
    to = Console(highlight=False, markup=False)  # brackets in what users wrote are text
    if to.is_terminal:
        for each in renderables:
            to.print(Printable(Text(each) if isinstance(each, str) else each))
        return
    plain = Console(highlight=False, markup=False, width=PIPED_WIDTH, file=io.StringIO())
    for each in renderables:
        plain.print(Printable(Text(each) if isinstance(each, str) else each))
    for line in plain.file.getvalue().splitlines():  # type: ignore[attr-defined]
        click.echo(line.rstrip())


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """A plain table: a heading and columns; long cells fold, they are never cut."""
    found = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in columns:
        found.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return found


def facts(rows: Mapping[str, RenderableType | None]) -> Table:
    """Names with their values below one another; those without a value are left out."""
    found = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    found.add_column(style="dim", no_wrap=True)
    found.add_column(overflow="fold")
    for name, value in rows.items():
        if value is not None:
            found.add_row(name, Text(value) if isinstance(value, str) else value)
    return found


def local_time(iso: str | None) -> str | None:
    """An instant of the API in this machine's time zone: «2026-11-23 23:15:02»."""
    return None if iso is None else f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M:%S}"


STATUS_STYLES = {"Completed": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow", "InProgress": "cyan"}


def status(name: str) -> Text:
    return Text(name, style=STATUS_STYLES.get(name, ""))
