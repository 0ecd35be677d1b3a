"""The server of the chosen home, and the access key by which this user reaches it."""

from __future__ import annotations

import os
import shlex
import time

from alfine.cli.options import chosen_home, home_keys
from alfine.core.errors import AlfineError
from alfine.jobs.server_record import ServerRecord
from alfine.store.home_folder import home_folder

WAIT_SECONDS = 10.0
"""Longest time, in seconds, that a server may take to answer, since `alfine serve & eval "$(alfine client)"` asks at once."""

LOOK_SECONDS = 0.1
"""Pause between two attempts."""

ANY = "any"
"""The id and the secret where any credentials are taken."""


class NoServer(AlfineError):
    """No server of the home answers."""


def command(words: str) -> str:
    """Return a command of alfine as the user has to type it for the chosen home."""
    home = chosen_home()
    return f"alfine {words}" + ("" if home == home_folder() else f" --home {shlex.quote(str(home))}")


def running_server() -> ServerRecord:
    """Return the record of the chosen home's server once it answers.

    Raises:
        NoServer: It doesn't within `WAIT_SECONDS`.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        record = ServerRecord.read(chosen_home())
        if record is not None and record.answers():
            return record
        if time.monotonic() > deadline:
            at = f" at {record.local_url}" if record else ""
            raise NoServer(f"No `alfine serve` of {chosen_home()} answers{at}. Start one: {command('serve')}")
        time.sleep(LOOK_SECONDS)


def access_key(record: ServerRecord) -> tuple[str, str]:
    """Return id and secret of the home's key that the environment names, else of its oldest one; of none where any are taken.

    Raises:
        NoServer: The home has no key.
    """
    if record.is_open:
        return ANY, ANY
    with home_keys() as all_keys:
        keys = all_keys.all()
    named = os.environ.get("AWS_ACCESS_KEY_ID")
    key = next((key for key in keys if key.id == named), keys[0] if keys else None)
    if key is None:
        raise NoServer(f"{chosen_home()} has no access key any more. Make one: {command('keys create')}")
    return key.id, key.secret


def key_for(endpoint: str) -> tuple[str, str] | None:
    """Return the home's key for the URL of the chosen home's own server; None for another server."""
    record = ServerRecord.read(chosen_home())
    return access_key(record) if record is not None and record.local_url == endpoint.rstrip("/") else None
