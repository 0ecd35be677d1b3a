"""One request of somebody who was let in, and what its page works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from alfine.jobs.service import Service
from alfine.server.console.render import render
from alfine.server.console.sessions import Session


@dataclass(frozen=True, slots=True)
class Backend:
    """What the pages read and change. run: have a tuning job run here; changed: there is news for the engine."""

    service: Service
    run: Callable[[str], None]
    changed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who was let in."""

    request: Request
    session: Session
    backend: Backend
    locked: bool
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def service(self) -> Service:
        return self.backend.service

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def page(self, template: str, code: int = 200, /, **words: Any) -> Response:
        return render(template, code, visit=self, **words)


Page = Callable[[Visit], Response]
