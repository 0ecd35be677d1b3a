"""The tables of alfine.toml for whoever operates a server: monitoring, webhooks, quotas, retention. store/config.py reads them."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from alfine.core.errors import Fault, InvalidSpec
from alfine.core.wording import did_you_mean
from alfine.store.quantities import bytes_of, span_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The table [metrics]: who may read /metrics.

    A reader gives the id and the secret of an access key of the home as user and password (HTTP Basic), or comes from one of the `hosts`.

    Attributes:
        hosts: Addresses and networks, such as "10.1.2.3" and "10.0.0.0/8", from which it is readable without a key.
        keys: Ids of the access keys that may read it. Empty: every key of the home.

    Raises:
        InvalidSpec: One of `hosts` is no address and no network.
    """

    hosts: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for host in self.hosts:
            try:
                ipaddress.ip_network(host)
            except ValueError as error:
                message = f"{host!r} is no address and no network: {error}. Give it as 10.1.2.3 or 10.0.0.0/8."
                raise InvalidSpec([Fault("[metrics] hosts", message)]) from error

    def admits(self, address: str) -> bool:
        """Return whether /metrics is readable from an address without a key."""
        try:
            client = ipaddress.ip_address(address)
        except ValueError:  # a connection without an address, such as one by a Unix socket
            return False
        return any(client in ipaddress.ip_network(host) for host in self.hosts)


TUNING_JOB_EVENT = "SageMaker HyperParameter Tuning Job State Change"
TRAINING_JOB_EVENT = "SageMaker Training Job State Change"
EVENTS = (TUNING_JOB_EVENT, TRAINING_JOB_EVENT)
"""The kinds of events: EventBridge's names (the member «detail-type» of its events)."""

SECRET_BYTES = range(24, 65)
"""How many bytes a webhook's secret may have. Source: github.com/standard-webhooks/standard-webhooks."""

SECRET_PREFIX, FROM_ENVIRONMENT = "whsec_", "env:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One table of [[webhooks]]: a receiver of events about state changes.

    Attributes:
        url: Where events are posted. Redirects aren't followed.
        secret: What they are signed with: «whsec_» and 24 to 64 random bytes in base64, or «env:NAME» for a variable of the server's
            environment that has it.
        events: The kinds of events: some of EVENTS.

    Raises:
        InvalidSpec: One of them can't be used.
    """

    url: str
    secret: str = field(repr=False)
    events: tuple[str, ...] = EVENTS

    def __post_init__(self) -> None:
        faults = [
            Fault(f"[[webhooks]] {key}", fault)
            for key, fault in (
                ("url", _fault_of_url(self.url)),
                ("secret", None if self.secret.startswith(FROM_ENVIRONMENT) else _fault_of_secret(self.secret)),
                ("events", _fault_of_events(self.events)),
            )
            if fault
        ]
        if faults:
            raise InvalidSpec(faults)

    @property
    def key(self) -> bytes:
        """The bytes with which events are signed.

        Raises:
            InvalidSpec: The secret is in a variable of the environment, which isn't set or has no secret.
        """
        secret = self.secret
        if secret.startswith(FROM_ENVIRONMENT):
            name = secret.removeprefix(FROM_ENVIRONMENT)
            secret = os.environ.get(name, "")
            if fault := _fault_of_secret(secret):
                raise InvalidSpec([Fault("[[webhooks]] secret", f"the environment variable {name!r}: {fault}")])
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def _fault_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, or brackets that don't close
        is_good = False
    if not is_good:
        return f"{url!r} isn't an URL. Use https://… or http://…"
    if parts.username is not None or parts.fragment:
        return "an URL with a user, a password or a fragment isn't taken: the signature proves who sends."
    return None


def _fault_of_secret(secret: str) -> str | None:
    hint = "Make one: echo whsec_$(openssl rand -base64 32)"
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        return f"it must be «whsec_» and 24 to 64 bytes in base64. {hint}"  # its value is in no message
    return None


def _fault_of_events(events: tuple[str, ...]) -> str | None:
    odd = [event for event in events if event not in EVENTS]
    if odd:
        return f"there is no event {odd[0]!r}. {did_you_mean(odd[0], EVENTS)}"
    if not events:
        return f"the list is empty. Leave it out for all, or name some of {' and '.join(map(repr, EVENTS))}."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """The table [track]: the experiment trackers of this home (jobs/trackers).

    Attributes:
        trackers: The trackers of each new tuning job that names none itself, such as "mlflow".
        places: Where a tracker keeps runs, by its name: the URL of an MLflow server, a project of W&B, a folder for TensorBoard. Without
            one, the tool's own environment variables decide.

    Raises:
        InvalidSpec: A place isn't a text.
    """

    trackers: tuple[str, ...] = ()
    places: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        faults = [
            Fault(f"[track] places.{name}", f"{place!r} must be a text: an address, a project or a folder.")
            for name, place in self.places.items()
            if not isinstance(place, str)
        ]
        if faults:
            raise InvalidSpec(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The table [limits]: quotas of a home. A request beyond one gets AWS's ResourceLimitExceeded.

    Attributes:
        parallel_training_jobs: The largest sum of MaxParallelTrainingJobs of all jobs that have not ended; 0: any.
        disk: The size of the home, such as "500 GB", from which on no job is created; "": any.

    Raises:
        InvalidSpec: One of them is no such number or size.
    """

    parallel_training_jobs: int = 0
    disk: str = ""

    def __post_init__(self) -> None:
        if self.parallel_training_jobs < 0:
            message = f"{self.parallel_training_jobs} must be a whole number from 1 on; 0 sets no limit."
            raise InvalidSpec([Fault("[limits] parallel_training_jobs", message)])
        if self.disk:
            bytes_of(self.disk, "[limits] disk")

    @property
    def disk_bytes(self) -> int | None:
        """The largest size of the home in bytes; None for any."""
        return bytes_of(self.disk, "[limits] disk") if self.disk else None


WHAT = ("files", "jobs")
"""Values of `what`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The table [retention]: what the server and `alfine prune` remove of tuning jobs that have ended. Without an age and a size: nothing.

    Attributes:
        older_than: The age, such as "30d", from which on it is removed; "": none.
        larger_than: The size of all training jobs' files, such as "500 GB", above which the oldest are removed; "": none.
        keep_best: Whether the files of the best training job of each tuning job are kept.
        what: «files» removes the files of training jobs (logs, models, checkpoints) and keeps the records; «jobs» removes both.

    Raises:
        InvalidSpec: One of them is no such value.
    """

    older_than: str = ""
    larger_than: str = ""
    keep_best: bool = True
    what: str = "files"

    def __post_init__(self) -> None:
        if self.what not in WHAT:
            raise InvalidSpec([Fault("[retention] what", f"{self.what!r} isn't one of {', '.join(WHAT)}.")])
        if self.older_than:
            span_of(self.older_than, "[retention] older_than")
        if self.larger_than:
            bytes_of(self.larger_than, "[retention] larger_than")

    @property
    def age(self) -> timedelta | None:
        """The age from which on something is removed; None for none."""
        return span_of(self.older_than, "[retention] older_than") if self.older_than else None

    @property
    def bytes(self) -> int | None:
        """The size above which something is removed; None for none."""
        return bytes_of(self.larger_than, "[retention] larger_than") if self.larger_than else None

    def __bool__(self) -> bool:
        """Return whether anything is ever removed."""
        return bool(self.older_than or self.larger_than)
