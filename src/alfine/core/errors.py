"""What can go wrong, as a hierarchy; each error knows the AWS code that an AWS client is answered with.

AlfineError
├── InvalidSpec          ValidationException   a request that can't be understood, with every fault and its path
├── NotFound             ResourceNotFound      no tuning job or training job of that name
├── InUse                ResourceInUse         the name is taken, or another alfine runs the job
├── Conflict             ConflictException     something else still needs what is to be deleted
├── NotTerminal          ValidationException   the job must have ended first
├── AlreadyEnded         ValidationException   the job must still run
├── IllegalTransition    InternalFailure       a status change outside the table of core/history.py
├── Overtaken            InternalFailure       someone else recorded something meanwhile: read again, decide again
├── StorageFull          ServiceUnavailable    no room to record what happened; nothing that was recorded is lost
├── StoreUnusable        InternalFailure       the database can't be opened, or isn't one
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
    """One thing wrong with a request: where, and what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpec(AlfineError, ValueError):
    """The request contradicts itself or asks for something impossible; `faults` has every reason found."""

    code = "ValidationException"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class NotFound(AlfineError, LookupError):
    """There is no tuning job or training job of that name."""

    code = "ResourceNotFound"


class InUse(AlfineError):
    """The name is taken, or another alfine process is running the job."""

    code = "ResourceInUse"


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
    """A status change that the table of transitions doesn't allow; always a fault of alfine's own."""


class Overtaken(AlfineError):
    """Someone else has recorded something meanwhile, so a decision rests on too little: read again, decide again."""


class StorageFull(AlfineError):
    """There is no room on the disk to record what happened. What was recorded before stands."""

    code = "ServiceUnavailable"


class StoreUnusable(AlfineError):
    """The database of a store can't be opened, or isn't one."""


class MissingExtra(AlfineError, ImportError):
    """An optional package is needed for this; the message has the command that installs it."""
