"""How results are printed: tables for people, at the terminal's width or, piped, as wide as they are; JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 100_000  # nothing is cut or folded where a program reads


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    """What json doesn't know: numpy's scalars, instants."""
    return value.item() if hasattr(value, "item") else str(value)


def console() -> Console:
    """stdout; without colours and folding when it is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPED_WIDTH)


def show(*renderables: RenderableType) -> None:
    to = console()
    for each in renderables:
        to.print(Text(each) if isinstance(each, str) else each, soft_wrap=isinstance(each, str) and not to.is_terminal)


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


def indented(renderable: RenderableType) -> RenderableType:
    return Padding(renderable, (0, 0, 0, 2))


def local_time(iso: str | None) -> str | None:
    """An instant of the API in this machine's time zone: «2026-11-23 23:15:02»."""
    return None if iso is None else f"{datetime.fromisoformat(iso).astimezone():%Y-%m-%d %H:%M:%S}"


STATUS_STYLES = {"Completed": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow", "InProgress": "cyan"}


def status(name: str) -> Text:
    return Text(name, style=STATUS_STYLES.get(name, ""))
