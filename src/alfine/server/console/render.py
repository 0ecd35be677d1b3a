"""Render the console's templates. Every value is escaped, unless it is `Markup` made by alfine."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from starlette.responses import HTMLResponse, Response

from alfine._version import __version__
from alfine.core import wording
from alfine.jobs.status_words import StatusWords, status_words
from alfine.server.console import live_parts, markup, verdict_text
from alfine.server.console.live_parts import LiveParts
from alfine.store.records import TrainingJobRow


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
        difference=wording.difference,
        backslashed=lambda name: name.encode(errors="backslashreplace").decode(),
        bytes=wording.bytes_of,
        duration=wording.duration,
        gain=wording.gain,
        money=wording.money,
        number=wording.number,
        percent=wording.percent,
        seconds_between=wording.seconds_between,
        short=wording.short,
        short_text=wording.short_text,
        breakable=markup.breakable,
        instant=markup.instant,
        nested_list=markup.nested_list,
        prose=markup.prose,
        evidence=verdict_text.evidence,
        parts=verdict_text.parts,
        status_words=_status_words,
        part=live_parts.part,
        live=live_parts.live,
    )
    return environment


def _status_words(row: TrainingJobRow) -> StatusWords:
    return status_words(row.status, row.failure_reason, row.stop_reason)


def render(template: str, status: int = 200, /, *, parts: LiveParts, **values: Any) -> Response:
    """Render a file of the folder `templates` as an HTML response with this HTTP status; parts: those of the page that are sent."""
    page = _environment().get_template(template).render(values, parts=parts)
    return HTMLResponse(parts.answer(page), status)
