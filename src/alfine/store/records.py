"""What a store takes and gives: a tuning job's row, and a finished tuning job that is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from alfine.core.history import Fact, is_terminal
from alfine.core.policy import Verdict
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningJob:
    """One tuning job as it was when it was read.

    request: CreateHyperParameterTuningJob's, as the user's last change left it. facts: how many were recorded. judged: how many
    of them the verdicts take into account. verdict: the strongest (None before the first); verdicts: the last of each criterion.
    owner, owned_until: the engine that runs the job, and the end of its lease.
    """

    id: int
    name: str
    request: Mapping[str, Any]
    status: str
    created_at: datetime
    modified_at: datetime
    ended_at: datetime | None
    facts: int
    judged: int
    verdict: Verdict | None
    verdicts: tuple[Verdict, ...]
    failure_reason: str | None
    owner: str | None
    owned_until: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the status is Completed, Stopped or Failed."""
        return is_terminal(self.status)

    def spec(self) -> TuningJobSpec:
        """Return the request as a spec."""
        return read_spec(self.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A finished tuning job that ran elsewhere, with all its facts (see api/import_records.py)."""

    spec: TuningJobSpec
    created_at: datetime
    ended_at: datetime
    status: str
    facts: tuple[Fact, ...]
    failure_reason: str | None = None


def tuning_job_of(row: Row[Any]) -> TuningJob:
    """Return a row of the table tuning_jobs as a TuningJob."""
    return TuningJob(
        id=row.id,
        name=row.name,
        request=json.loads(row.request),
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
        ended_at=row.ended_at,
        facts=row.facts,
        judged=row.judged,
        verdict=Verdict.from_dict(json.loads(row.verdict)) if row.verdict else None,
        verdicts=tuple(Verdict.from_dict(verdict) for verdict in json.loads(row.verdicts or "[]")),
        failure_reason=row.failure_reason,
        owner=row.owner,
        owned_until=row.owned_until,
    )
