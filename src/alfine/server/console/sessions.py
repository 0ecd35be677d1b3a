"""Sessions: whoever signed in may use the console; on a server that takes any credentials (`--open`), everybody on this machine.

A browser signs no requests, so it opens a session with a one-time link (links.py), or on the sign-in page with an access key's id
and secret. The session's token is random; the browser keeps it in a cookie (HttpOnly, SameSite=Strict), the store as a hash, so that it
holds at every server that shares the database. Sessions end after `SESSION_SECONDS`, by their button, and when their key is deleted.
Forms carry a second token (against cross-site request forgery) that only the pages of these servers contain.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from alfine.core.errors import AlfineError
from alfine.core.wording import duration
from alfine.server.console.links import OneTimeLinks
from alfine.store.access_keys import Keys
from alfine.store.console_tokens import ConsoleToken, ConsoleTokens

SESSION_SECONDS = 8 * 3600.0
"""Seconds until a session ends: a working day."""

MOST_SESSIONS = 1000
"""Sessions that are kept; another one replaces the oldest."""

MOST_FAILURES = 10
"""Wrong keys from one network within `FAILURE_SECONDS` before it has to wait."""

FAILURE_SECONDS = 300.0
"""Seconds for which a wrong key is remembered."""

MOST_NETWORKS = 10_000
"""Networks whose wrong keys are remembered; another one replaces the oldest."""


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what has none."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SignInRefused(AlfineError):
    """The sign-in or a form was refused: a wrong key, a key over plain HTTP, or a missing token."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Session:
    """The session of one browser.

    Attributes:
        key: The id of the access key that opened it; empty where none is needed.
        form_token: The token that its forms have to send.
    """

    key: str
    form_token: str


class Sessions:
    """The sessions of one server, and of all others that share its database.

    Args:
        keys: The access keys of the home.
        tokens: Where sessions are kept.
        is_open: Whether nobody has to sign in.
        clock: Returns the present instant.

    Attributes:
        links: The one-time links that wait to be opened.
    """

    def __init__(
        self, keys: Keys, tokens: ConsoleTokens, *, is_open: bool, clock: Callable[[], datetime] = _utc_now
    ) -> None:
        self.keys = keys
        self.is_open = is_open
        self.links = OneTimeLinks(tokens, clock)
        self._tokens = tokens
        self._clock = clock
        self._failures: dict[str, list[float]] = {}
        self._mutex = threading.Lock()

    @property
    def needs_sign_in(self) -> bool:
        """Return whether a browser has to sign in."""
        return not self.is_open

    @cached_property
    def anonymous(self) -> Session:
        """The session of a browser that has not signed in: it has the form token of the sign-in page."""
        return Session("", self._tokens.shared_form_token(secrets.token_urlsafe(32), NEVER))

    def session(self, request: Request) -> Session | None:
        """Return the session that a request belongs to, or None when the browser has to sign in first."""
        if not self.needs_sign_in:
            return self.anonymous
        token = request.cookies.get(_cookie(request), "")
        known = self._tokens.find("session", token, self._clock()) if token else None
        if known is None or self.keys.secret(known.access_key) is None:
            return None
        return Session(known.access_key, known.form_token)

    def sign_in(self, request: Request, key: str, secret: str) -> str:
        """Open a session.

        Args:
            request: The request with the sign-in form.
            key: The id of an access key.
            secret: Its secret.

        Returns:
            The token of the new session, for the browser's cookie.

        Raises:
            SignInRefused: The key is wrong, came over plain HTTP from another machine, or came after too many wrong ones.
        """
        network = _network(_protected_address(request))
        self._refuse_after_failures(network)
        known = self.keys.secret(key)
        good = hmac.compare_digest((known or secrets.token_urlsafe(30)).encode(), secret.encode())
        if known is None or not good:
            self._note_failure(network)
            raise SignInRefused("That isn't one of this server's access keys. `alfine keys list` shows their ids.")
        return self._open(key)

    def follow(self, request: Request, link: str) -> str:
        """Open a session with the token of a one-time link.

        Returns:
            The token of the new session, for the browser's cookie.

        Raises:
            SignInRefused: The link was opened before or has ended, or it came over plain HTTP from another machine.
        """
        _protected_address(request)
        key = self.links.redeem(link)
        if key is None:
            raise SignInRefused("This link was opened before, or has ended. Make another one: alfine console")
        return self._open(key)

    def _open(self, key: str) -> str:
        token, now = secrets.token_urlsafe(32), self._clock()
        known = ConsoleToken(key, secrets.token_urlsafe(32), now + timedelta(seconds=SESSION_SECONDS))
        self._tokens.add("session", token, known, now, MOST_SESSIONS)
        return token

    def sign_out(self, request: Request) -> None:
        """End the session of a request."""
        self._tokens.take("session", request.cookies.get(_cookie(request), ""), self._clock())

    @staticmethod
    def set_cookie(request: Request, response: Response, token: str) -> None:
        """Have the browser keep the session's token in a cookie."""
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
    def delete_cookie(request: Request, response: Response) -> None:
        """Have the browser delete the cookie."""
        response.delete_cookie(_cookie(request), path="/console", httponly=True, samesite="strict")

    def _refuse_after_failures(self, network: str) -> None:
        with self._mutex:
            now = self._clock().timestamp()
            recent = [at for at in self._failures.get(network, ()) if at > now - FAILURE_SECONDS]
            if len(recent) >= MOST_FAILURES:
                wait = recent[0] + FAILURE_SECONDS - now
                raise SignInRefused(f"Too many wrong keys. Try again in {duration(wait)}.", 429)

    def _note_failure(self, network: str) -> None:
        with self._mutex:
            if network not in self._failures and len(self._failures) >= MOST_NETWORKS:
                del self._failures[next(iter(self._failures))]
            self._failures[network] = [*self._failures.get(network, ())[-MOST_FAILURES:], self._clock().timestamp()]


def _cookie(request: Request) -> str:
    """Return the cookie's name, which has the port: browsers send one host's cookies to all of its ports."""
    return f"alfine-{request.url.port or request.url.scheme}"


def _protected_address(request: Request) -> str:
    """Return the address of the sender; raise SignInRefused where others could read what it sends."""
    address = request.client.host if request.client else ""
    if request.url.scheme != "https" and not _is_loopback(address):
        raise SignInRefused(
            "Over plain HTTP others could read the key. Use https (alfine serve --tls-cert, or a proxy), or an ssh "
            "tunnel: ssh -L 8765:127.0.0.1:8765 …"
        )
    return address


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _network(address: str) -> str:
    """Return what wrong keys are counted by: an IPv4 address, or the /64 network of an IPv6 one, which one host owns whole."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address
