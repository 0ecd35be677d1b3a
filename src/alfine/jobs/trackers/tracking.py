"""Tracks the tuning jobs that this process runs: starts the followers of their trackers, and lets them finish."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alfine.core.errors import Fault, InvalidSpec
from alfine.jobs.home import Home
from alfine.jobs.trackers import TRACKERS, faults_of, missing_package, trackers_in
from alfine.jobs.trackers.follower import TrackerFollower
from alfine.store.tracker_cursors import TrackerCursors, TrackerState, tracker_states

log = logging.getLogger("alfine.jobs.trackers")

FINISH_SECONDS = 30.0
"""Seconds for trackers to take what is new once a tuning job has ended, and its program goes on."""

INTERRUPTED_SECONDS = 2.0
"""Seconds for them where the program is interrupted instead, by SIGTERM for example: the next process tells them the rest."""


def follower_of(home: Home, tracker: str, only: str | None = None) -> TrackerFollower:
    """Return the follower of a tracker for a home, which isn't started yet.

    Args:
        home: The home.
        tracker: The tracker's name.
        only: The only tuning job to follow; None: all that this process runs.
    """
    return TrackerFollower(
        tracker,
        home.config.track.places.get(tracker, ""),
        store=home.store,
        home=home.folder,
        folder=home.jobs_folder,
        engine=home.engine().ownership.engine,
        clock=home.clock,
        only=only,
    )


class Tracking:
    """The followers of all trackers that are installed here, for a process that runs any number of tuning jobs.

    Args:
        home: The home of the tuning jobs.
    """

    def __init__(self, home: Home) -> None:
        self._followers = [follower_of(home, tracker) for tracker in TRACKERS if not missing_package(tracker)]

    def start(self) -> None:
        """Begin to follow."""
        for follower in self._followers:
            follower.start()

    def leave(self, patience: float) -> None:
        """Tell what is new, and stop following; return after `patience` seconds at the latest."""
        let_finish(self._followers, patience)


def let_finish(followers: Sequence[TrackerFollower], patience: float) -> None:
    """Let followers tell what is new, side by side, and stop them; return after `patience` seconds at the latest."""
    for follower in followers:
        follower.leave()
    until = time.monotonic() + patience
    for follower in followers:
        follower.wait(until, patience)


@contextmanager
def tracking(home: Home, name: str) -> Iterator[None]:
    """Tell the trackers of one tuning job while the block runs it; afterwards they get a little time for what is new.

    Args:
        home: The tuning job's home.
        name: The tuning job.
    """
    followers = []
    for state in states_of(home, name):
        if missing := missing_package(state.tracker) if state.tracker in TRACKERS else "this version doesn't know it.":
            log.warning("tuning_job=%s isn't tracked: %s", name, missing)
            continue
        followers.append(follower_of(home, state.tracker, name))
        followers[-1].start()
    patience = INTERRUPTED_SECONDS
    try:
        yield
        patience = FINISH_SECONDS
    finally:
        let_finish(followers, patience)


def tell_now(
    home: Home, name: str, trackers: Sequence[str] = (), *, again: bool = False, patience: float
) -> Mapping[str, Any]:
    """Tell trackers everything of a recorded tuning job that they weren't told.

    Args:
        home: The tuning job's home.
        name: The tuning job.
        trackers: Their names; empty: those that the tuning job has.
        again: Whether they are told everything once more.
        patience: Seconds after which it is given up.

    Returns:
        The state of each tracker afterwards, as Describe has it.

    Raises:
        InvalidSpec: A tracker doesn't exist, or its tool isn't installed here.
        NotFound: There is no tuning job of that name.
    """
    chosen = trackers_in(" ".join(trackers)) or [state.tracker for state in states_of(home, name)]
    if faults := [Fault("track", message) for message in faults_of(" ".join(chosen))]:
        raise InvalidSpec(faults)
    home.service.get(name)
    followers = []
    for tracker in chosen:
        cursors = TrackerCursors(home.store.database, tracker)
        cursors.add(name)
        if again:
            cursors.again(name)
        followers.append(follower_of(home, tracker, name))
        followers[-1].start()
    let_finish(followers, patience)
    states: Mapping[str, Any] = home.service.describe(name)["Alfine"].get("Tracking", {})
    return {tracker: states[tracker] for tracker in chosen}


def states_of(home: Home, name: str) -> Sequence[TrackerState]:
    """Return the state of each tracker of a tuning job. Raise NotFound where there is none of that name."""
    job = home.service.get(name)
    with home.store.reading() as connection:
        return tracker_states(connection, job.id)
