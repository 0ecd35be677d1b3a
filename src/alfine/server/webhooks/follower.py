"""Follows the facts in the store for one webhook, and posts each state change until it is taken.

What was posted is written down only after the receiver has taken it, so a crash repeats an event and loses none. Events of one tuning job
keep their order: while one waits, the later ones of this job wait, too. Of several servers the one that holds the webhook's lease posts.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from alfine.core.errors import InvalidSpec, NotFound, StoreDamaged
from alfine.core.facts import is_terminal
from alfine.jobs.lease_owner import is_alive, new_owner
from alfine.server.webhooks.backoff import Backoff
from alfine.server.webhooks.receiver import Answer, Receiver
from alfine.store.database import Connection
from alfine.store.operating_settings import Webhook
from alfine.store.state_changes import StateChange, Told, state_changes
from alfine.store.store import Store
from alfine.store.webhook_cursors import Behind, WebhookCursors

log = logging.getLogger("alfine.server.webhooks")

LOOK_SECONDS = 1.0
"""Seconds between two looks for state changes."""

LEASE = timedelta(seconds=60)
"""Duration of the claim of a webhook: several times what one attempt may take."""

CLAIM_AGAIN = timedelta(seconds=5)
"""Time between two attempts to claim a webhook that another server holds."""

WRITTEN_AT_ONCE = 20
"""Events that are posted before it is written down: a crash repeats at most so many of a tuning job."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class LostLease(Exception):
    """Another server posts to this webhook now."""


@dataclass(frozen=True, slots=True)
class Events:
    """The maker of events. What they look like is AWS's business (aws/sagemaker/state_changes.py).

    Attributes:
        event_of: Returns the event of a change of the tuning job with that id.
        kind_of: Returns the kind of event that a change makes: one of `operating_settings.EVENTS`.
    """

    event_of: Callable[[Connection, int, StateChange], Mapping[str, Any]]
    kind_of: Callable[[StateChange], str]


class Follower:
    """Posts the state changes of a store to one webhook, in a thread of its own.

    Args:
        webhook: The receiver's settings.
        store: Where the facts are.
        events: Makes the events.
        clock: Returns the present instant.

    Attributes:
        url: The webhook's.
        host: Its host, for logs: a path may be a secret of the receiver.
        answers: How many attempts had each outcome.
        given_up: How many events were left out, because the receiver refused them for too long.
    """

    def __init__(self, webhook: Webhook, store: Store, events: Events, clock: Callable[[], datetime]) -> None:
        self.url = webhook.url
        self.host = urlsplit(webhook.url).netloc
        self.answers = dict.fromkeys(Answer, 0)
        self.given_up = 0
        self._kinds = frozenset(webhook.events)
        self._store, self._cursors = store, WebhookCursors(store.database)
        self._events, self._clock = events, clock
        self._receiver, self._backoff = Receiver(webhook), Backoff()
        self._owner, self._is_owner = new_owner(), False
        self._claim_at, self._note_look_at = LONG_AGO, LONG_AGO
        self._seen: dict[int, Told] = {}  # by the tuning job's id: beyond what is written, where nothing had to be told
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alfine-webhook", daemon=True)

    def start(self) -> None:
        """Begin to follow: a webhook that is new is told of what happens from now on."""
        try:
            self._owns(self._clock())
        except Exception:  # logged with its traceback; the thread's first look tries again
            log.exception("can't follow state changes for the webhook at %s", self.host)
        self._thread.start()

    def leave(self, patience: float) -> None:
        """Stop following; return once that is done, after `patience` seconds at the latest."""
        self._leaving.set()
        self._thread.join(patience)

    def behind_seconds(self) -> float:
        """Return how old the oldest state change is that was posted in vain and waits; 0 where none does."""
        oldest = self._backoff.oldest()
        return 0.0 if oldest is None else (self._clock() - oldest).total_seconds()

    # -- looking -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._leaving.wait(LOOK_SECONDS):
            try:
                self._look()
            except LostLease:
                self._disown()
            except Exception:  # logged with its traceback; the next look may succeed
                log.exception("can't follow state changes for the webhook at %s", self.host)
        self._receiver.close()
        if self._is_owner:
            self._cursors.release(self.url, self._owner)

    def _look(self) -> None:
        """Post everything that has changed since the last look."""
        now = self._clock()
        if not self._owns(now) or self._backoff.holds():
            return
        since = self._cursors.since(self.url)
        done = [self._tell(behind, since) for behind in self._cursors.behind(self.url)]
        if all(done) and now >= self._note_look_at:
            self._cursors.looked(self.url, self._owner, now, self._clock() + LEASE)
            self._note_look_at = now + LEASE

    def _owns(self, now: datetime) -> bool:
        """Return whether this server is the one that posts. Its claim is renewed in time."""
        if now < self._claim_at:
            return self._is_owner
        if self._cursors.claim(self.url, self._owner, now, now + LEASE, is_alive):
            self._is_owner, self._claim_at = True, now + LEASE / 2
        else:
            self._disown()
            self._claim_at = now + CLAIM_AGAIN
        return self._is_owner

    def _disown(self) -> None:
        """Forget everything about a webhook that another server posts to."""
        self._is_owner = False
        self._backoff.forget()
        self._seen.clear()

    # -- posting -------------------------------------------------------------------------------------------------

    def _tell(self, behind: Behind, since: datetime) -> bool:
        """Post what has changed of one tuning job; return False if something has to wait."""
        job = behind.tuning_job
        told = self._seen.pop(job, behind.told)
        while not self._backoff.holds(job):
            with self._store.reading() as connection:
                changes, then = state_changes(connection, job, told)
            if not self._posted_all(job, told, changes, since):
                return False
            if changes:
                self._write(job, then)
            if then == told:
                if then.status is None or not is_terminal(then.status):
                    self._seen[job] = then
                return True
            told = then
        return False

    def _posted_all(self, job: int, told: Told, changes: Sequence[StateChange], since: datetime) -> bool:
        """Post changes of a tuning job in order. At one that has to wait, write down what was taken before it, and return False."""
        done = told
        for count, change in enumerate(changes, 1):
            is_wanted = change.at >= since and self._events.kind_of(change) in self._kinds
            if is_wanted and not self._posted(job, change):
                if done != told:
                    self._write(job, done)
                return False
            done = Told(change.fact, change.status if change.training_job is None else done.status)
            if count % WRITTEN_AT_ONCE == 0:
                self._write(job, done)
        return True

    def _posted(self, job: int, change: StateChange) -> bool:
        """Post the event of a change; return False if it has to be posted again later."""
        if self._leaving.is_set():
            return False
        try:
            answer, why = self._answer(job, change)
        except NotFound:
            return True  # the tuning job was deleted meanwhile: there is nothing left to describe
        if answer is Answer.TAKEN:
            self._backoff.taken(job)
            return True
        log.warning("the webhook at %s wasn't told of a change of %s, trying again: %s", self.host, change.at, why)
        if answer is Answer.AWAY:
            self._backoff.away(change.at, self._clock())
        elif self._backoff.refused(job, change.at, self._clock()):
            log.error("the webhook at %s is never told of a change of %s: %s", self.host, change.at, why)
            self.given_up += 1
            return True
        return False

    def _answer(self, job: int, change: StateChange) -> tuple[Answer, str]:
        """Post the event of a change; return what became of it, and why. Raise NotFound if the tuning job was deleted."""
        try:
            with self._store.reading() as connection:
                event = self._events.event_of(connection, job, change)
        except (InvalidSpec, StoreDamaged) as error:  # the package of its criterion isn't installed, for example
            return Answer.REFUSED, f"the tuning job can't be described: {error}"
        answer, why = self._receiver.post(event["id"], json.dumps(event).encode())
        self.answers[answer] += 1
        return answer, f"{why}, event {event['id']}"

    def _write(self, job: int, told: Told) -> None:
        """Write down up to where the webhook was told of a tuning job. Raise LostLease if another server posts now."""
        if not self._cursors.tell(self.url, self._owner, self._clock() + LEASE, job, told):
            raise LostLease
