"""Who may use the console: anybody on this machine while the home has no keys, else whoever has signed in with one.

A browser signs no requests, so a key's id and secret are asked for once and a session is opened. Its token is a random one, kept by
the browser in a cookie (HttpOnly, SameSite=Strict) and here as a hash, in memory: sessions end with the server, after
SESSION_SECONDS, and with their key. Forms carry a second token that only this server's pages know.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from alfine.core.errors import AlfineError
from alfine.store.access_keys import Keys

SESSION_SECONDS = 8 * 3600.0
MOST_SESSIONS = 1000
FAILURES, WITHIN_SECONDS = 10, 300.0  # so many wrong keys from one address, then it waits
MOST_ADDRESSES = 10_000


class NotLetIn(AlfineError):
    """The key isn't one of the home's, or may not be sent this way."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that was let in. key: whose; "" where none is needed. form_token: what its forms have to bring."""

    key: str
    form_token: str
    until: float = float("inf")


class Door:
    """The sessions of one server. always: a key is needed even while the home has none. clock: monotonic seconds."""

    def __init__(self, keys: Keys, *, always: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.keys = keys
        self.always = always
        self._clock = clock
        self._sessions: dict[bytes, Session] = {}
        self._failures: dict[str, list[float]] = {}
        self._mutex = threading.Lock()
        self._anybody = Session("", secrets.token_urlsafe(32))

    @property
    def locked(self) -> bool:
        return self.always or bool(self.keys)

    @property
    def stranger(self) -> Session:
        """Of who hasn't signed in: the token of the sign-in form."""
        return self._anybody

    def session(self, request: Request) -> Session | None:
        """The session that a request belongs to; None: it has to sign in."""
        if not self.locked:
            return self._anybody
        token = request.cookies.get(_cookie(request), "")
        with self._mutex:
            found = self._sessions.get(_hashed(token))
        if found is None or found.until < self._clock() or self.keys.secret(found.key) is None:
            return None
        return found

    def sign_in(self, request: Request, key: str, secret: str) -> str:
        """The token of a new session. Raise NotLetIn."""
        address = request.client.host if request.client else ""
        if request.url.scheme != "https" and not _is_loopback(address):
            raise NotLetIn(
                "Over plain HTTP a key could be read on its way. Use https (alfine serve --tls-cert, or a proxy), or an ssh "
                "tunnel: ssh -L 8765:127.0.0.1:8765 …"
            )
        whose = _network(address)
        self._check_patience(whose)
        known = self.keys.secret(key)
        good = hmac.compare_digest((known or secrets.token_urlsafe(30)).encode(), secret.encode())
        if known is None or not good:
            self._failed(whose)
            raise NotLetIn("That isn't one of this server's keys. `alfine keys list` shows their ids.")
        token = secrets.token_urlsafe(32)
        with self._mutex:
            now = self._clock()
            kept = [(each, session) for each, session in self._sessions.items() if session.until >= now]
            self._sessions = dict(kept[-(MOST_SESSIONS - 1) :])
            self._sessions[_hashed(token)] = Session(key, secrets.token_urlsafe(32), now + SESSION_SECONDS)
        return token

    def sign_out(self, request: Request) -> None:
        with self._mutex:
            self._sessions.pop(_hashed(request.cookies.get(_cookie(request), "")), None)

    @staticmethod
    def remember(request: Request, response: Response, token: str) -> None:
        """Have the browser keep the session's token."""
        response.set_cookie(
            _cookie(request),
            token,
            max_age=int(SESSION_SECONDS),
            path="/console",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )

    @staticmethod
    def forget(request: Request, response: Response) -> None:
        response.delete_cookie(_cookie(request), path="/console", httponly=True, samesite="strict")

    def _check_patience(self, whose: str) -> None:
        with self._mutex:
            recent = [at for at in self._failures.get(whose, ()) if at > self._clock() - WITHIN_SECONDS]
            if len(recent) >= FAILURES:
                wait = recent[0] + WITHIN_SECONDS - self._clock()
                raise NotLetIn(f"Too many wrong keys. Try again in {wait:.0f} seconds.", 429)

    def _failed(self, whose: str) -> None:
        with self._mutex:
            if whose not in self._failures and len(self._failures) >= MOST_ADDRESSES:
                del self._failures[next(iter(self._failures))]
            self._failures[whose] = [*self._failures.get(whose, ())[-FAILURES:], self._clock()]


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _cookie(request: Request) -> str:
    """Cookies know no ports: two servers on one machine have one each."""
    return f"alfine-{request.url.port or request.url.scheme}"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _network(address: str) -> str:
    """Whom an address counts for: one household or host has 2**64 addresses of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
