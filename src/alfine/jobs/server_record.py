"""The record that `alfine serve` leaves in its home: where and how it answers, for `alfine client` and `alfine console`."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

FILE = "server.json"
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - read, not listened on
"""Addresses that stand for all of a machine, and one by which the machine reaches itself."""

ANSWER_SECONDS = 10.0
"""Longest time, in seconds, that it may take to be connected."""


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """The server that was started last on a home.

    Attributes:
        url: Where it listens.
        region: The AWS region that requests are signed for.
        is_open: Whether it takes any credentials.
        certificate: The file of its certificate (PEM); None for plain HTTP.
    """

    url: str
    region: str
    is_open: bool
    certificate: str | None = None

    @property
    def local_url(self) -> str:
        """The URL by which this machine reaches it."""
        scheme, _, address = self.url.partition("://")
        host, colon, port = address.rpartition(":")
        return f"{scheme}://{EVERY_ADDRESS.get(host, host)}{colon}{port}"

    @property
    def url_for_others(self) -> str:
        """The URL by which other machines reach it, if it listens on all addresses and they know the name of this machine."""
        scheme, _, address = self.url.partition("://")
        host, colon, port = address.rpartition(":")
        return f"{scheme}://{socket.gethostname() if host in EVERY_ADDRESS else host}{colon}{port}"

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return urlsplit(self.url).port or 0

    def answers(self) -> bool:
        """Return whether somebody listens at its address."""
        try:
            host = urlsplit(self.local_url).hostname or ""
            with socket.create_connection((host, self.port), timeout=ANSWER_SECONDS):
                return True
        except OSError:
            return False  # which is the answer: nobody listens there

    def write(self, home: Path) -> None:
        """Write the record into the home's folder, in place of an earlier one."""
        handle, draft = tempfile.mkstemp(prefix=".server-", dir=home)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(self), file)
        Path(draft).rename(home / FILE)

    @classmethod
    def read(cls, home: Path) -> ServerRecord | None:
        """Return the record of a home; None where no server has run, or the file isn't a record."""
        try:
            return cls(**json.loads((home / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # as good as none: the next server writes it anew
            return None
