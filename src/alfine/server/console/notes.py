"""The form with the note and the tags of a tuning job."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from alfine.core.errors import InvalidSpec
from alfine.server.console.page_request import PageRequest

LONGEST_TAGS = 20_000
"""Characters of the tags that are read: more than all tags of a job can have."""


def page(request: PageRequest) -> Response:
    """Render the form as the job is now."""
    name = request.path_part("name")
    note, tags = request.service.get(name).note or "", request.service.tags(name)
    return request.render("notes.html", name=name, note=note, tags=_lines(tags), faults=())


def save(request: PageRequest) -> Response:
    """Save note and tags, and go back to the job; when something is wrong, render the form as it was filled in, with the faults."""
    name, lines = request.path_part("name"), request.form.get("tags", "")[:LONGEST_TAGS]
    note, tags = request.form.get("note", ""), _tags_in(lines)
    changes = {**dict.fromkeys(key for key in request.service.tags(name) if key not in tags), **tags}
    try:
        request.service.annotate(name, note=note, tags=changes)
    except InvalidSpec as error:
        faults = [str(fault) for fault in error.faults]
        return request.render("notes.html", 422, name=name, note=note, tags=lines, faults=faults)
    return RedirectResponse(f"/console/tuning-jobs/{name}", 303)


def _lines(tags: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" if value else key for key, value in tags.items())


def _tags_in(lines: str) -> dict[str, str]:
    """Return the tags of a text with one a line, «key=value» or «key»."""
    pairs = (line.partition("=") for line in lines.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}
