"""The choice of a home's database: the URL that an argument, the environment or the settings name, and what is wrong with it."""

from __future__ import annotations

import os
from importlib.util import find_spec

from alfine.core.errors import Fault, InvalidSpec, MissingExtra

VARIABLE = "ALFINE_STORE"
"""The environment variable that names a database."""

DRIVER = "postgresql+psycopg"
"""The scheme of SQLAlchemy's URLs for PostgreSQL with psycopg 3, alfine's only driver."""

POSTGRESQL = ("postgresql", "postgres", DRIVER)
"""Schemes that a user may write; the first is libpq's own."""

EXAMPLE = "postgresql://USER@HOST/DATABASE"


def chosen_store(given: str | None, configured: str) -> str | None:
    """Return the URL of the database that a home uses; None for the SQLite file in its folder.

    Args:
        given: What an argument names (`--store`, `Home(store=…)`), which counts first; then $ALFINE_STORE counts.
        configured: What the settings name, which counts last; empty for none.

    Raises:
        InvalidSpec: It isn't the URL of a PostgreSQL database.
        MissingExtra: The driver isn't installed.
    """
    for where, url in (("--store", given), (VARIABLE, os.environ.get(VARIABLE)), ("[store] url", configured)):
        if url:
            return checked_url(url, where)
    return None


def is_store_chosen(given: str | None = None) -> bool:
    """Return whether an argument or the environment names a database. Settings aren't read."""
    return bool(given or os.environ.get(VARIABLE))


def checked_url(url: str, where: str) -> str:
    """Return a URL as SQLAlchemy takes it.

    Args:
        url: What the user wrote. No error repeats it, since it may hold a password.
        where: The setting, for errors.

    Raises:
        InvalidSpec: It isn't the URL of a PostgreSQL database.
        MissingExtra: The driver isn't installed.
    """
    import sqlalchemy as sa  # slow, and needed only where a URL is given

    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise InvalidSpec([Fault(where, f"isn't the URL of a database. Give it as {EXAMPLE}.")]) from error
    if parsed.drivername.startswith("sqlite"):
        message = (
            f"SQLite is the default and needs no URL: its file lies in the home's folder. A server's URL is {EXAMPLE}."
        )
        raise InvalidSpec([Fault(where, message)])
    if parsed.drivername not in POSTGRESQL:
        message = f"{parsed.drivername!r} isn't a database that alfine knows. It knows PostgreSQL: {EXAMPLE}."
        raise InvalidSpec([Fault(where, message)])
    if not parsed.database:
        raise InvalidSpec([Fault(where, f"names no database. Put its name at the end: {EXAMPLE}.")])
    if find_spec("psycopg") is None:
        raise MissingExtra("PostgreSQL needs psycopg: pip install 'alfine[postgres]'")
    return parsed.set(drivername=DRIVER).render_as_string(hide_password=False)


def shown_url(url: str) -> str:
    """Return a URL for people: without its password, and without its query, which may hold one too."""
    import sqlalchemy as sa

    from alfine.store.postgres import shown_name

    return shown_name(sa.make_url(url))
