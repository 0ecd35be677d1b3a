"""Sessions and one-time links of the console, so that they hold at every server that shares the database.

Only hashes of their tokens are kept: who reads the database can't use them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from alfine.store.database import Connection, Database
from alfine.store.schema import console_tokens

Kind = Literal["session", "link", "anonymous"]
"""What a token is for: a session, a link that opens one, or the forms of browsers that have no session."""


@dataclass(frozen=True, slots=True)
class ConsoleToken:
    """A token of the console as the store keeps it, without the token itself.

    Attributes:
        access_key: The id of the access key that it was made for; empty where none is needed.
        form_token: The token that forms of the session have to send.
        until: When it ends.
    """

    access_key: str
    form_token: str
    until: datetime


class ConsoleTokens:
    """The tokens of all servers that share a database.

    Args:
        database: The database of the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: Kind, token: str, known: ConsoleToken, now: datetime, most: int) -> None:
        """Keep a new token.

        Args:
            kind: What it is for.
            token: The token itself.
            known: What is known of it.
            now: The present instant: tokens that have ended are removed.
            most: How many tokens of this kind are kept; the new one replaces the one that ends first.
        """
        with self._database.writing() as connection:
            connection.execute(sa.delete(console_tokens).where(console_tokens.c.until < now))
            kept = sa.select(console_tokens.c.hash).where(console_tokens.c.kind == kind)
            surplus = connection.scalars(kept.order_by(console_tokens.c.until.desc()).offset(most - 1)).all()
            connection.execute(sa.delete(console_tokens).where(console_tokens.c.hash.in_(surplus)))
            _insert(connection, kind, _hashed(token), known)

    def find(self, kind: Kind, token: str, now: datetime) -> ConsoleToken | None:
        """Return what is known of a token; None where there is none, or it has ended.

        Args:
            kind: What it is for.
            token: The token; it may be any text.
            now: The present instant.
        """
        with self._database.reading() as connection:
            row = connection.execute(sa.select(console_tokens).where(_is(kind, _hashed(token)))).first()
        return None if row is None or row.until < now else ConsoleToken(row.access_key, row.form_token, row.until)

    def take(self, kind: Kind, token: str, now: datetime) -> ConsoleToken | None:
        """Remove a token, and return what was known of it, once; None where there is none, or it has ended.

        Args:
            kind: What it is for.
            token: The token; it may be any text.
            now: The present instant.
        """
        with self._database.writing() as connection:
            taken = sa.delete(console_tokens).where(_is(kind, _hashed(token))).returning(console_tokens)
            row = connection.execute(taken).first()
        return None if row is None or row.until < now else ConsoleToken(row.access_key, row.form_token, row.until)

    def shared_form_token(self, new: str, until: datetime) -> str:
        """Return the token of forms that need no session: the same at every server.

        Args:
            new: The token where there is none yet.
            until: An instant at which it never ends.
        """
        mine = _is("anonymous", "")
        try:
            with self._database.writing() as connection:
                row = connection.execute(sa.select(console_tokens.c.form_token).where(mine)).first()
                if row is None:
                    _insert(connection, "anonymous", "", ConsoleToken("", new, until))
                return new if row is None else str(row.form_token)
        except sa.exc.IntegrityError:  # another server was quicker
            with self._database.reading() as connection:
                return str(connection.execute(sa.select(console_tokens.c.form_token).where(mine)).scalar_one())


def _is(kind: Kind, hashed: str) -> sa.ColumnElement[bool]:
    return (console_tokens.c.hash == hashed) & (console_tokens.c.kind == kind)


def _insert(connection: Connection, kind: Kind, hashed: str, known: ConsoleToken) -> None:
    row = {"hash": hashed, "kind": kind, "access_key": known.access_key, "form_token": known.form_token}
    connection.execute(sa.insert(console_tokens).values({**row, "until": known.until}))


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
