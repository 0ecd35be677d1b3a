"""Protocol of job files: the console reads, checks and writes them by whatever the server was started with, since they belong to the room api."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alfine.core.errors import Fault
from alfine.core.finding import Finding
from alfine.core.spec import TuningJobSpec

Document = dict[str, Any]
"""The keys and values of a job file, or a full request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedJob:
    """A job as `alfine check` sees it.

    Attributes:
        faults: Why it can't be created, in the words of its document.
        request: The request that it stands for; None where it couldn't be read.
        spec: Its specification; None where it has faults.
        remarks: What its user may not expect.
        spelled: Returns a fault of the request in the words of the document.
    """

    faults: Sequence[Fault]
    request: Mapping[str, Any] | None = None
    spec: TuningJobSpec | None = None
    remarks: Sequence[Finding] = ()
    spelled: Callable[[Fault], Fault] = lambda fault: fault


class JobFiles(Protocol):
    """Reads, checks and writes job files as `alfine create` and `alfine check` do."""

    @property
    def folder(self) -> str:
        """The folder from which relative paths are meant."""

    def read(self, text: str) -> Document:
        """Return the keys and values of a text in YAML or JSON. Raise InvalidSpec with its faults."""

    def check(self, document: Mapping[str, Any]) -> CheckedJob:
        """Return a document's faults and what it will do. Nothing is recorded."""

    def document_of(self, request: Mapping[str, Any]) -> Document | None:
        """Return the job file of a request; None where only a request can say the same."""

    def yaml(self, document: Mapping[str, Any]) -> str:
        """Return a document as YAML."""

    def python(self, request: Mapping[str, Any]) -> str | None:
        """Return a program that asks for the job with `alfine.tune`; None where that can't say the same."""
