"""Requests for pages: one authenticated request, and the services that its page may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from alfine.jobs.service import Service
from alfine.server.console.insights import Insights
from alfine.server.console.job_files import JobFiles
from alfine.server.console.live_parts import HAS, LiveParts
from alfine.server.console.render import render
from alfine.server.console.sessions import Session
from alfine.server.replay_desk import ReplayDesk


@dataclass(frozen=True, slots=True)
class ConsoleBackend:
    """The services that pages read from and change.

    Attributes:
        service: Reads and changes the tuning jobs of the home.
        run: Runs the tuning job of that name on this server.
        changed: Wakes the engine after a change.
        force_stop: Stops the tuning job of that name by force.
        insights: What the histories of tuning jobs tell.
        job_files: Reads and checks job files.
        replays: Works out replays.
    """

    service: Service
    run: Callable[[str], None]
    changed: Callable[[], None]
    force_stop: Callable[[str], object]
    insights: Insights
    job_files: JobFiles
    replays: ReplayDesk = field(default_factory=ReplayDesk)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request by a browser with a valid session.

    Attributes:
        http: The HTTP request.
        session: The session of the browser.
        backend: The services of this server.
        needs_sign_in: Whether this server only answers signed-in browsers; pages then have a «Sign out» button.
        form: The fields of a submitted form; empty for a GET.
    """

    http: Request
    session: Session
    backend: ConsoleBackend
    needs_sign_in: bool
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the URL."""
        return self.http.query_params

    @property
    def service(self) -> Service:
        """The service of the home."""
        return self.backend.service

    def path_part(self, name: str) -> str:
        """Return a variable part of the path, such as `name` of `/tuning-jobs/{name}`."""
        return str(self.http.path_params[name])

    def render(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Render a template with these values and this request (`request`) as a response with this HTTP status."""
        parts = LiveParts(self.http.headers.get(HAS) if status == HTTPStatus.OK else None)
        return render(template, status, request=self, parts=parts, **values)


Page = Callable[[PageRequest], Response]
