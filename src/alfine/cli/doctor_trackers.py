"""The rows of `alfine doctor` about experiment trackers: which are installed, and which couldn't be told of a tuning job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alfine.core.errors import AlfineError

MOST_SHOWN = 5
"""Tuning jobs with a tracker that couldn't be told; of more, the rest is counted."""


def tracker_rows(home: Path, store: str | None = None) -> Iterator[tuple[str, bool, str]]:
    """Yield (name of the check, whether it works, detail).

    Args:
        home: The folder of the home, which may not exist.
        store: The URL of its database, where one was named.
    """
    from alfine.jobs.home import is_home
    from alfine.jobs.trackers import TRACKERS, missing_package

    for tracker in TRACKERS:
        missing = missing_package(tracker)
        yield f"tracker {tracker}", not missing, missing or "installed"
    if is_home(home, store):
        yield from _failing(home, store)


def _failing(home: Path, store: str | None) -> Iterator[tuple[str, bool, str]]:
    from alfine.cli.output import local_time
    from alfine.jobs.home import Home
    from alfine.store.tracker_cursors import failing_trackers

    try:
        with Home(home, store=store) as opened, opened.store.reading() as connection:
            failing = failing_trackers(connection)
    except AlfineError:  # the row of the database says why
        return
    for name, state in failing[:MOST_SHOWN]:
        since = local_time(state.failing_since.isoformat()) if state.failing_since else "its beginning"
        detail = f"{name} isn't told since {since}: {state.failure} -> alfine track {name} tells it the rest"
        yield f"tracker {state.tracker}", False, detail
    if len(failing) > MOST_SHOWN:
        yield "trackers", False, f"{len(failing) - MOST_SHOWN} more tuning jobs have a tracker that isn't told"
