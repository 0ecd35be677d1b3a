"""What SageMaker's operations and their neighbours work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alfine.aws.json_protocol import Plain
from alfine.core.arns import Arns
from alfine.jobs.service import Service


@dataclass(slots=True)
class AwsBackend:
    """created: called with the name of a tuning job that was made; changed: there is news for the engine.

    shown: what Describe answered last, by tuning job.
    """

    service: Service
    arns: Arns
    created: Callable[[str], None]
    changed: Callable[[], None]
    shown: dict[str, Any] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.service.clock()

    def reading(self) -> Any:
        return self.service.store.reading()


Function = Callable[[AwsBackend, Plain], Plain]
