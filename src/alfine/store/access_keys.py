"""Access keys of a home: files in <home>/keys, which only the home's owner can read, or rows of a PostgreSQL database.

They are read for every request, so a new key works at once and a deleted key stops working at once. As soon as a home
has a key, every request must be signed; aws/auth/sigv4.py verifies the signatures. Several servers on one PostgreSQL database have the
same keys. With SQLite they are files: other users can't read them, whatever the rights of the database's file are.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alfine.core.errors import Fault, InvalidSpec, NotFound

FOLDER = "keys"
_ID = re.compile("[A-Za-z0-9_]{3,128}")
"""An id as AWS and other S3 servers have them. Drafts of files, with a dot in front, aren't any."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""Letters of an access key id: those of base32."""

_ID_LETTERS = 16
"""Random letters of an access key id, after «AKIA»: 80 bits."""

_SECRET_BYTES = 30
"""Random bytes of a secret; in base64 they are 40 characters, as many as AWS's secrets have."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key, as AWS has them.

    Attributes:
        id: The public part, sent with every request.
        secret: The secret part, which signs requests and is never sent.
        created_at: When it was created, in UTC.
    """

    id: str
    secret: str
    created_at: datetime

    def __repr__(self) -> str:
        return f"<AccessKey {self.id}>"  # the secret gets into no log by accident


class Keys(ABC):
    """The access keys of a home; true if there is any."""

    place: str
    """Where they are, for people."""

    @abstractmethod
    def __bool__(self) -> bool:
        """Return whether there are any keys.

        Raises:
            OSError, StoreBusy, StoreUnusable: They can't be read. The answer «no» would let unsigned requests in.
        """

    @abstractmethod
    def all(self) -> list[AccessKey]:
        """Return all keys, the oldest first."""

    @abstractmethod
    def _read(self, access_key: str) -> AccessKey | None: ...

    @abstractmethod
    def _write(self, key: AccessKey) -> None: ...

    @abstractmethod
    def _remove(self, access_key: str) -> None: ...

    def secret(self, access_key: str) -> str | None:
        """Return the secret of an access key.

        Args:
            access_key: The id that a request names; it may be any text.

        Returns:
            None where there is no such key.
        """
        return found.secret if (found := self._find(access_key)) else None

    def create(self, now: datetime) -> AccessKey:
        """Make a key and return it."""
        letters = "".join(secrets.choice(_LETTERS) for _ in range(_ID_LETTERS))
        key = AccessKey(f"AKIA{letters}", secrets.token_urlsafe(_SECRET_BYTES), now)
        self.add(key)
        return key

    def add(self, key: AccessKey) -> None:
        """Write a key, in place of one with its id. Raise InvalidSpec for an id that isn't one."""
        if not _ID.fullmatch(key.id) or not key.secret:
            raise InvalidSpec([Fault("AWS_ACCESS_KEY_ID", f"{key.id!r:.150} must be 3 to 128 letters and digits.")])
        self._write(key)

    def delete(self, access_key: str) -> None:
        """Delete a key. Requests that it signs are refused from now on.

        Args:
            access_key: The key's id.

        Raises:
            NotFound: There is no such key.
        """
        if self._find(access_key) is None:
            raise NotFound(f"There is no access key {access_key!r} in {self.place}. `alfine keys list` shows them.")
        self._remove(access_key)

    def _find(self, access_key: str) -> AccessKey | None:
        return self._read(access_key) if _ID.fullmatch(access_key) else None


class KeyFiles(Keys):
    """The access keys in a home's folder.

    Args:
        home: The home's folder.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self.place = str(self.folder)

    def __bool__(self) -> bool:
        """Return whether there are any keys; raise OSError where the folder can't be read."""
        try:
            with os.scandir(self.folder) as entries:
                return any(_ID.fullmatch(entry.name) for entry in entries)
        except FileNotFoundError:
            return False

    def all(self) -> list[AccessKey]:
        """Return all keys, the oldest first."""
        names = [path.name for path in self.folder.glob("*")]
        return sorted((key for name in names if (key := self._find(name))), key=lambda key: key.created_at)

    def _write(self, key: AccessKey) -> None:
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        handle, draft = tempfile.mkstemp(prefix=".new-", dir=self.folder)  # with mode 0600
        with os.fdopen(handle, "w") as file:
            json.dump({"SecretAccessKey": key.secret, "CreateDate": key.created_at.isoformat()}, file)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).rename(self.folder / key.id)
        self._sync()

    def _remove(self, access_key: str) -> None:
        (self.folder / access_key).unlink(missing_ok=True)
        self._sync()

    def _read(self, access_key: str) -> AccessKey | None:
        try:
            read = json.loads((self.folder / access_key).read_text())
        except FileNotFoundError:
            return None
        return AccessKey(access_key, read["SecretAccessKey"], datetime.fromisoformat(read["CreateDate"]))

    def _sync(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
