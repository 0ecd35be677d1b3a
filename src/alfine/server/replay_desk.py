"""The desk where a server works out replays: for everybody who watches, step by step, in one thread.

A replay of a large tuning job takes minutes of a core, that of a small one a moment. So each is worked out in short turns. The next turn goes to
whoever has used the least of late, and of theirs to the replay that has taken the least so far: a small replay never waits for a large one to
end, and nobody's replays come at another's cost. A replay that nobody watches any more is dropped; results are kept for whoever asks next.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from alfine.core.errors import AlfineError
from alfine.core.history import History
from alfine.jobs.analysis.replay_report import alternatives, row_steps

log = logging.getLogger("alfine.server.replay_desk")

Plain = dict[str, Any]

Steps = Generator[int, None, Plain]
"""A replay: each step yields how many facts of the record are judged, the last one returns the result."""

Begun = tuple[Callable[[], Steps], int]
"""What begins a replay, and the number of facts of its record."""

BUSY = "Other replays are being worked out. Try again in a while."

TURN_SECONDS = 0.05
"""Time of a turn, at least one step."""

PAUSE_SECONDS = 0.002
"""Time between two turns, for the server's other threads."""

HALF_LIFE_SECONDS = 30.0
"""Time after which half of what somebody has used is forgotten."""

MOST_KEPT = 256
"""Results that are kept: some 2 KB each."""

MOST_OF_ONE = 40
"""Replays that one user may have under way."""

MOST_AT_ONCE = 200
"""Replays that a server has under way: each holds the record of its tuning job."""

LEAVING_SECONDS = 1.5
"""Time for which a page that was left still watches: one that is loaded again asks within it, and nothing is lost."""

MOST_WAITING = 8
"""Requests that wait for replays to end: each holds a thread of the server."""

WAITING_SECONDS = 10.0
"""Time for which such a request watches before it asks again."""


class ReplayBusy(AlfineError):
    """Too many replays are under way."""

    code = "ServiceUnavailable"


class ReplayFailed(AlfineError):
    """A replay failed."""


def wanted_replays(record: Hashable, history: History, texts: Sequence[str]) -> dict[Hashable, Begun]:
    """Return what is replayed for these criteria, by a key for each: each criterion alone, and several together.

    Args:
        record: Names the tuning job and its state.
        history: The tuning job.
        texts: The criteria; none stands for the job's own.
    """
    facts = len(history.facts)
    return {(record, together): (partial(row_steps, history, together), facts) for together in alternatives(texts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Somebody who looks at replays.

    Attributes:
        owner: The user.
        place: The page of the user that shows them. What it showed before is watched no more.
    """

    owner: Hashable
    place: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayState:
    """The state of one replay.

    Attributes:
        share: Share of the record that is judged, in [0, 1].
        result: The result; None before the end, and where it failed.
        failed: Whether it failed; the server's log has the reason.
    """

    share: float
    result: Plain | None = None
    failed: bool = False

    @property
    def ended(self) -> bool:
        return self.failed or self.result is not None


@dataclass(slots=True, kw_only=True)
class _Replay:
    """A replay under way."""

    owner: Hashable
    steps: Steps
    facts: int
    judged: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Watched:
    keys: Sequence[Hashable]
    until: float


@dataclass(slots=True)
class _Used:
    """The time that somebody has used, in seconds, half of it forgotten every HALF_LIFE_SECONDS."""

    seconds: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        return float(self.seconds * 0.5 ** ((time.monotonic() - self.at) / HALF_LIFE_SECONDS))

    def add(self, seconds: float) -> None:
        self.seconds, self.at = self.now() + seconds, time.monotonic()


class ReplayDesk:
    """Works out replays in one thread. Any thread may ask.

    Example:
        >>> states = desk.ask(watch, {key: (steps_of, facts)}, seconds=5)
        >>> desk.wait([key], 0.5)
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._replays: dict[Hashable, _Replay] = {}
        self._watches: dict[Watch, _Watched] = {}
        self._used: dict[Hashable, _Used] = {}
        self._ended: OrderedDict[Hashable, ReplayState] = OrderedDict()
        self._runs = False
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)

    def ask(self, watch: Watch, wanted: Mapping[Hashable, Begun], seconds: float) -> list[ReplayState]:
        """Return the state of replays, and begin those that nobody has asked for before.

        Args:
            watch: Who looks at them, and at no others there.
            wanted: What begins each replay, and the number of facts of its record, by a key that names its result.
            seconds: For how long they are watched. Whoever still looks asks again before.

        Raises:
            ReplayBusy: Too many are under way.
            InvalidSpec: One can't begin: what its beginning raises.
        """
        with self._changed:
            self._watches[watch] = _Watched(list(wanted), time.monotonic() + seconds)
            missing = [key for key in wanted if key not in self._ended and key not in self._replays]
            self._drop_unwatched()
            of_one = sum(each.owner == watch.owner for each in self._replays.values())
            if len(missing) + of_one > MOST_OF_ONE or len(missing) + len(self._replays) > MOST_AT_ONCE:
                raise ReplayBusy(BUSY)
        begun = {key: wanted[key][0]() for key in missing}
        with self._changed:
            for key, steps in begun.items():
                self._replays.setdefault(key, _Replay(owner=watch.owner, steps=steps, facts=wanted[key][1]))
            self._run()
            return [self._state(key) for key in wanted]

    def leave(self, watch: Watch) -> None:
        """Let somebody watch nothing more there, unless they ask again at once; what nobody else watches ends."""
        with self._changed:
            if (watched := self._watches.get(watch)) is not None:
                watched.until = min(watched.until, time.monotonic() + LEAVING_SECONDS)

    @property
    def under_way(self) -> int:
        """The number of replays that are under way."""
        with self._changed:
            return len(self._replays)

    def wait(self, keys: Sequence[Hashable], seconds: float) -> list[ReplayState]:
        """Return the state of replays once all have ended, or after some seconds."""
        with self._changed:
            self._changed.wait_for(lambda: all(self._state(key).ended for key in keys), seconds)
            return [self._state(key) for key in keys]

    def results(self, owner: Hashable, wanted: Mapping[Hashable, Begun]) -> list[Plain]:
        """Return the results of replays, and wait for them.

        Args:
            owner: Who asks.
            wanted: As for `ask`.

        Raises:
            ReplayBusy: Too many replays are under way, or wait so.
            ReplayFailed: One failed.
            InvalidSpec: As for `ask`.
        """
        if not self._waiting.acquire(blocking=False):
            raise ReplayBusy(BUSY)
        try:
            watch = Watch(owner=owner, place=object())
            states = self.ask(watch, wanted, WAITING_SECONDS)
            while not all(state.ended for state in states):
                self.wait(list(wanted), WAITING_SECONDS / 2)
                states = self.ask(watch, wanted, WAITING_SECONDS)
        finally:
            self._waiting.release()
        found = [state.result for state in states if state.result is not None]
        if len(found) < len(states):
            raise ReplayFailed("A replay failed. The server's log has the reason.")
        return found

    # -- underneath ----------------------------------------------------------------------------------------------

    def _state(self, key: Hashable) -> ReplayState:
        if key in self._ended:
            self._ended.move_to_end(key)
            return self._ended[key]
        replay = self._replays.get(key)
        return ReplayState(share=0.0 if replay is None else replay.judged / max(1, replay.facts))

    def _run(self) -> None:
        if self._replays and not self._runs:
            threading.Thread(target=self._work, name="alfine-replays", daemon=True).start()
            self._runs = True

    def _work(self) -> None:
        while True:
            with self._changed:
                self._drop_unwatched()
                if not self._replays:
                    self._runs = False
                    return
                key, replay = self._next()
            state = self._turn(replay)
            with self._changed:
                if state is not None:
                    self._end(key, state)
                self._changed.notify_all()
            time.sleep(PAUSE_SECONDS)

    def _next(self) -> tuple[Hashable, _Replay]:
        """Return the replay whose turn it is."""
        used = {owner: each.now() for owner, each in self._used.items()}
        return min(self._replays.items(), key=lambda item: (used.get(item[1].owner, 0.0), item[1].seconds))

    def _turn(self, replay: _Replay) -> ReplayState | None:
        """Take steps for the time of a turn, and return how the replay has ended; None where it goes on."""
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < TURN_SECONDS:
                replay.judged = next(replay.steps)
        except StopIteration as end:
            return ReplayState(share=1.0, result=end.value)
        except Exception:  # logged with its traceback; whoever asked is told that it failed
            log.exception("a replay failed")
            return ReplayState(share=1.0, failed=True)
        finally:
            took = time.monotonic() - begun
            replay.seconds += took
            with self._changed:
                self._used.setdefault(replay.owner, _Used()).add(took)
        return None

    def _end(self, key: Hashable, state: ReplayState) -> None:
        self._replays.pop(key, None)
        self._ended[key] = state
        while len(self._ended) > MOST_KEPT:
            self._ended.popitem(last=False)

    def _drop_unwatched(self) -> None:
        """Forget the watches that have run out, and the replays and the use of time that nobody's watch needs."""
        now = time.monotonic()
        self._watches = {watch: each for watch, each in self._watches.items() if each.until > now}
        watched = {key for each in self._watches.values() for key in each.keys}
        self._replays = {key: replay for key, replay in self._replays.items() if key in watched}
        self._used = {owner: used for owner, used in self._used.items() if used.now() > TURN_SECONDS}
