"""The errors that alfine raises on purpose, as a hierarchy, each with the error code that an AWS client gets.

AlfineError
├── InvalidSpec          ValidationException   a request that is wrong, with every fault and its path
├── NotFound             ResourceNotFound      no tuning job or training job of that name
├── InUse                ResourceInUse         the name is taken, or another alfine process runs the job
├── QuotaExceeded        ResourceLimitExceeded  a quota of the home doesn't allow it
├── Conflict             ConflictException     something else still needs what is to be deleted
├── NotTerminal          ValidationException   the job must have ended first
├── AlreadyEnded         ValidationException   the job must still run
├── IllegalTransition    InternalFailure       a status change outside the table of core/facts.py
├── Overtaken            InternalFailure       another process has recorded a fact meanwhile: read and decide again
├── Fenced               InternalFailure       another engine has taken over the tuning job: let go of it
├── StorageFull          ServiceUnavailable    no room to record facts; nothing that was recorded is lost
├── StoreBusy            ServiceUnavailable    another process has held the database for too long: try again
├── StoreUnusable        InternalFailure       the database can't be opened or written, or isn't one
│   └── StoreDamaged     InternalFailure       pages of the database, or records in it, can't be read
└── MissingExtra         InternalFailure       an optional package that isn't installed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AlfineError(Exception):
    """The root of every error that alfine raises on purpose."""

    code = "InternalFailure"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request.

    Args:
        path: Where in the request; empty for the request as a whole.
        message: What is wrong, which value, and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpec(AlfineError, ValueError):
    """The request contradicts itself, or asks for something impossible.

    Args:
        faults: Everything that is wrong with it.
    """

    code = "ValidationException"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NotFound(AlfineError, LookupError):
    """There is no tuning job or training job of that name."""

    code = "ResourceNotFound"


class NoTuningJob(NotFound):
    """There is no tuning job of that name. Its text is AWS's message; `sentence` is alfine's own.

    Attributes:
        name: The name that somebody asked for.
        similar: The tuning job whose name is most like it; None where none is like enough.
    """

    def __init__(self, name: str, similar: str | None = None) -> None:
        super().__init__(f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
        self.name, self.similar = name, similar

    def sentence(self, place: str = "") -> str:
        """Return the message in alfine's words, for example «There is no tuning job called tune-1. Did you mean tune-2?»."""
        return f"There is no tuning job called {self.name}{place}.{self.hint}"

    @property
    def hint(self) -> str:
        """The question whether the most similar name was meant, with a space before it; "" without one."""
        return f" Did you mean {self.similar}?" if self.similar else ""


class InUse(AlfineError):
    """The name is taken, or another alfine process is running the job."""

    code = "ResourceInUse"


class QuotaExceeded(AlfineError):
    """A quota of the home doesn't allow it."""

    code = "ResourceLimitExceeded"


class Conflict(AlfineError):
    """Something else still needs what is to be deleted."""

    code = "ConflictException"


class NotTerminal(AlfineError):
    """The job must have ended before this can be done."""

    code = "ValidationException"


class AlreadyEnded(AlfineError):
    """The job has ended, so this can't be done any more."""

    code = "ValidationException"


class IllegalTransition(AlfineError):
    """A status change that the table of transitions doesn't allow; always a bug of alfine."""


class Overtaken(AlfineError):
    """Another process has recorded a fact meanwhile, which a decision didn't take into account: read and decide again."""


class Fenced(AlfineError):
    """Another engine has taken over the tuning job: whoever ran it records nothing more of it, and starts and stops nothing."""


class StorageFull(AlfineError):
    """There is no room on the disk to record facts. What was recorded before isn't lost."""

    code = "ServiceUnavailable"


class StoreBusy(AlfineError):
    """Another process has held the database for too long. The same may succeed later."""

    code = "ServiceUnavailable"


class StoreUnusable(AlfineError):
    """The database of a store can't be opened or written, or isn't one."""


class StoreUnreachable(StoreUnusable):
    """The disk or the network drive of the database answers with errors. The same may succeed once it works again."""

    code = "ServiceUnavailable"


class StoreDamaged(StoreUnusable):
    """Pages of the database, or records in it, can't be read."""


class MissingExtra(AlfineError, ImportError):
    """An optional package is needed for this; the message has the command that installs it."""
