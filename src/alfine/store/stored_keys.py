"""Access keys as rows of a database, which all servers on it share."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from alfine.store.access_keys import AccessKey, KeyFiles, Keys
from alfine.store.database import Database
from alfine.store.schema import access_keys
from alfine.store.store import Store

TAKEN_OVER = ".taken-over"
"""Name of the file in a home's folder of keys that names the databases which have them, one a line."""


class StoredKeys(Keys):
    """The access keys in a database.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.place = database.name

    def __bool__(self) -> bool:
        """Return whether there are any keys; raise the store's errors where they can't be read."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(access_keys.c.id).limit(1)).first() is not None

    def all(self) -> list[AccessKey]:
        """Return all keys, the oldest first."""
        query = sa.select(access_keys).order_by(access_keys.c.created_at, access_keys.c.id)
        with self._database.reading() as connection:
            return [AccessKey(*row) for row in connection.execute(query)]

    def _read(self, access_key: str) -> AccessKey | None:
        with self._database.reading() as connection:
            row = connection.execute(sa.select(access_keys).where(access_keys.c.id == access_key)).first()
        return None if row is None else AccessKey(*row)

    def _write(self, key: AccessKey) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(access_keys).where(access_keys.c.id == key.id))
            row = {"id": key.id, "secret": key.secret, "created_at": key.created_at}
            connection.execute(sa.insert(access_keys).values(row))

    def _remove(self, access_key: str) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(access_keys).where(access_keys.c.id == access_key))


def keys_of(store: Store, folder: Path) -> Keys:
    """Return the access keys of a home: those in its folder, or in its PostgreSQL database.

    Such a database takes over the keys of a home's folder once. A key that is deleted later doesn't come back, and a home that goes back
    to SQLite has its keys as before.

    Args:
        store: The home's store.
        folder: The home's folder.
    """
    files = KeyFiles(folder)
    if not store.database.is_postgres:
        return files
    keys, taken_over = StoredKeys(store.database), files.folder / TAKEN_OVER
    by = taken_over.read_text(encoding="utf-8") if taken_over.exists() else ""
    if files and keys.place not in by.splitlines():
        for key in files.all():
            keys.add(key)
        taken_over.write_text(f"{by}{keys.place}\n", encoding="utf-8")
    return keys
