"""Templates, and how they are filled: every value is escaped unless it's markup of our own."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from starlette.responses import HTMLResponse, Response

from alfine._version import __version__
from alfine.core import wording
from alfine.server.console import verdict_text


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("alfine.server.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(version=__version__)
    environment.filters.update(
        count_of=wording.count_of,
        duration=wording.duration,
        evidence=verdict_text.evidence,
        inside=verdict_text.inside,
        instant=verdict_text.instant,
        money=wording.money,
        notes=verdict_text.notes,
        number=wording.number,
        percent=wording.percent,
        seconds_between=wording.seconds_between,
        short_text=wording.short_text,
    )
    return environment


def render(template: str, code: int = 200, /, **values: Any) -> Response:
    return HTMLResponse(_environment().get_template(template).render(values), code)
