"""The backend of the operations of all AWS services, and the type of an operation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alfine.aws.shape_readers import Plain
from alfine.core.arns import Arns
from alfine.jobs.service import Service
from alfine.store.database import Connection


@dataclass(slots=True)
class AwsBackend:
    """The services and settings that operations work with.

    Attributes:
        service: The tuning jobs.
        arns: The region and the account in ARNs.
        created: Called with the name of a tuning job that was created.
        changed: Called when there is news for the engine.
        secret_of: Returns the secret of an access key of the home; None for an unknown one.
        shown: The last answers of DescribeHyperParameterTuningJob, by name (aws/sagemaker/tuning_jobs.py).
    """

    service: Service
    arns: Arns
    created: Callable[[str], None]
    changed: Callable[[], None]
    secret_of: Callable[[str], str | None] = field(default=lambda _: None)
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The present instant."""
        return self.service.clock()

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a connection to the store for reading."""
        return self.service.store.reading()


Function = Callable[[AwsBackend, Plain], Plain]
"""An operation: takes the request, validated by AWS's model, and returns the answer."""
