"""Temporary keys, as STS's AssumeRole hands them out: made from the caller's own key and kept nowhere.

The session token says whose key it is, what the temporary one is called and until when it is valid, and the key's own secret vouches for
it. So a temporary key ends with its time, or when the key that it was made from is deleted. It may do what that key may.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""The letters of ids, as in AWS's."""

signer: ContextVar[str] = ContextVar("signer", default="")
"""The id of the key that signed the request that is being answered; "" where nobody checks signatures."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    """A temporary key."""

    id: str
    secret: str
    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"<SessionKey {self.id}>"  # the secret gets into no log by accident


def make(key: str, secret: str, now: datetime, seconds: int) -> SessionKey:
    """Return a temporary key.

    Args:
        key: The id of the key that it is made from.
        secret: The secret of that key.
        now: The present time.
        seconds: How long it is valid.
    """
    expires_at = (now + timedelta(seconds=seconds)).replace(microsecond=0)
    name = "ASIA" + "".join(secrets.choice(LETTERS) for _ in range(16))
    claim = f"{key}.{name}.{int(expires_at.timestamp())}"
    return SessionKey(name, _made("secret", secret, claim), f"{claim}.{_made('token', secret, claim)}", expires_at)


def find(access_key: str, token: str, secret_of: Callable[[str], str | None], now: datetime) -> tuple[str, str] | None:
    """Return the id of the key that a temporary one was made from, and the temporary one's secret.

    Args:
        access_key: The id of the temporary key.
        token: Its session token.
        secret_of: Returns the secret of a key; None for an unknown one.
        now: The present time.

    Returns:
        None for a token that isn't valid for the key, or no longer.
    """
    claim, _, proof = token.rpartition(".")
    key, _, rest = claim.partition(".")
    name, _, expiry = rest.partition(".")
    secret = secret_of(key)
    if (
        secret is None
        or name != access_key
        or not hmac.compare_digest(proof.encode(), _made("token", secret, claim).encode())
    ):
        return None
    if now >= datetime.fromtimestamp(int(expiry), UTC):
        return None
    return key, _made("secret", secret, claim)


def _made(purpose: str, secret: str, claim: str) -> str:
    return hmac.new(secret.encode(), f"alfine session {purpose} {claim}".encode(), hashlib.sha256).hexdigest()
