"""Templates, and how they are filled: every value is escaped unless it's markup of our own."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from starlette.responses import HTMLResponse, Response

from alfine import __version__
from alfine.api.live_view import count_of, duration
from alfine.server.console import words


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("alfine.server.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(version=__version__, words=words)
    environment.filters.update(
        count_of=count_of,
        duration=duration,
        evidence=words.evidence,
        inside=words.inside,
        instant=words.instant,
        money=words.money,
        notes=words.notes,
        number=words.number,
        percent=words.percent,
        short_text=words.short_text,
    )
    return environment


def render(template: str, code: int = 200, /, **values: Any) -> Response:
    return HTMLResponse(_environment().get_template(template).render(values), code)
