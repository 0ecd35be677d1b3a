"""/healthz and /readyz: whether the process answers, and whether it can do its work. Everybody may read them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alfine._version import __version__
from alfine.core.errors import AlfineError, InvalidSpec
from alfine.store.store import Store
from alfine.store.totals import ping

log = logging.getLogger("alfine.server.health")

KEPT_SECONDS = 1.0
"""Seconds for which an answer of the database holds: unsigned requests mustn't cost a question each."""

OWN_BUCKETS = "This server has buckets of its own, which the other servers of its database don't have: set [s3] endpoint in its alfine.toml."

UNREADY = 503
"""The HTTP status of a server that can't do its work, as load balancers and Kubernetes expect it."""


async def healthz(_: Request) -> Response:
    """Answer that the process runs."""
    return JSONResponse({"status": "ok", "version": __version__})


class Readiness:
    """/readyz: ready while the database answers, the engine steps, and s3:// means the same at all servers of the database.

    Args:
        store: The database.
        trouble: Returns why tuning jobs don't go on; "" while they do.
        check_buckets: Raises InvalidSpec while another server doesn't have the buckets of this one.
    """

    def __init__(self, store: Store, trouble: Callable[[], str], check_buckets: Callable[[], None]) -> None:
        self._store = store
        self._engine_trouble = trouble
        self._check_buckets = check_buckets
        self._mutex = threading.Lock()
        self._asked_at = float("-inf")
        self._answer = ""

    async def readyz(self, _: Request) -> Response:
        """Answer with 200, or with 503 and the reason."""
        if trouble := self._engine_trouble() or await run_in_threadpool(self._database_trouble):
            return JSONResponse({"status": "unready", "reason": trouble}, UNREADY)
        return JSONResponse({"status": "ready", "version": __version__})

    def _database_trouble(self) -> str:
        """Return why the database doesn't answer; "" while it does. At most one question at a time."""
        with self._mutex:
            if time.monotonic() - self._asked_at > KEPT_SECONDS:
                self._answer = self._asked()
                self._asked_at = time.monotonic()
            return self._answer

    def _asked(self) -> str:
        try:
            with self._store.reading() as connection:
                ping(connection)
            self._check_buckets()
        except InvalidSpec as error:
            log.warning("not ready: %s", error)
            return OWN_BUCKETS
        except AlfineError as error:
            log.warning("not ready: %s", error)
        except Exception:  # whatever a driver raises, the server isn't ready
            log.exception("not ready: the database doesn't answer")
        else:
            return ""
        return "The database doesn't answer."  # the log has the details, which everybody could read here
