"""Records that a store takes and gives: a tuning job, a training job, and a finished tuning job that is imported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Row

from alfine.core.errors import IllegalTransition, InvalidSpec, NotFound
from alfine.core.facts import Fact, is_terminal
from alfine.core.read_spec import read_spec
from alfine.core.spec import TuningJobSpec
from alfine.core.training_job import valid_objective
from alfine.core.verdict import Verdict
from alfine.store.conditions import MODIFIED_AT
from alfine.store.database_errors import damaged
from alfine.store.schema import training_jobs, tuning_jobs


@dataclass(frozen=True, kw_only=True)
class TuningJob:
    """One tuning job as it was when it was read.

    Attributes:
        request: CreateHyperParameterTuningJob's, as the user's last change left it.
        facts: How many facts were recorded.
        judged: How many of the facts the verdicts take into account.
        owner: The engine that runs the job.
        epoch: How often it was claimed.
        note: What people wrote about it.
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
    failure_reason: str | None
    owner: str | None
    epoch: int
    note: str | None
    _verdict: str | None = field(repr=False)  # as JSON: lists of many jobs need only few of them
    _verdicts: str | None = field(repr=False)

    @cached_property
    def verdict(self) -> Verdict | None:
        """The strongest verdict; None before the first."""
        return Verdict.from_dict(json.loads(self._verdict)) if self._verdict else None

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The last verdict of each criterion."""
        return tuple(Verdict.from_dict(verdict) for verdict in json.loads(self._verdicts or "[]"))

    @property
    def ended(self) -> bool:
        """Return whether the status is Completed, Stopped or Failed."""
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


@contextmanager
def reading_record_of(name: str) -> Iterator[None]:
    """Raise StoreDamaged, with the tuning job's name, where what was recorded can't be understood."""
    try:
        yield
    except (InvalidSpec, NotFound):  # a criterion's package isn't installed, for example: they say it themselves
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, IllegalTransition) as error:
        raise damaged(
            f"The record of the tuning job {name} can't be read: {type(error).__name__}: {error!s:.200}"
        ) from error


def tuning_job_of(row: Row[Any]) -> TuningJob:
    """Return a row of the table tuning_jobs as a TuningJob. Raise StoreDamaged where it can't be understood."""
    with reading_record_of(row.name):
        request = json.loads(row.request)
    return TuningJob(
        id=row.id,
        name=row.name,
        request=request,
        status=row.status,
        created_at=row.created_at,
        modified_at=row.modified_at,
        ended_at=row.ended_at,
        facts=row.facts,
        judged=row.judged,
        failure_reason=row.failure_reason,
        owner=row.owner,
        epoch=row.epoch,
        note=row.note,
        _verdict=row.verdict,
        _verdicts=row.verdicts,
    )


class TrainingJobRow(NamedTuple):
    """One training job as it was when it was read, with what its lists show of its tuning job.

    Attributes:
        tuning_job: The id of its tuning job.
        hyperparameters_text: What was tuned, as JSON.
        log_offset: How many bytes of the log have been read for metrics.
        uploaded_at: When the model was where the job wants it, if that is elsewhere.
        attempt: See store/placements.py.
        runner: See store/placements.py.
        node: See store/placements.py.
        slot: See store/placements.py.
        pending: See store/placements.py.
        tuning_job_name: As it is stored (see core/arns.py).
        listed: False if the tuning job was deleted, or is only the holder of this training job.
    """

    tuning_job: int
    number: int
    name: str
    definition: str | None
    hyperparameters_text: str
    status: str
    created_at: datetime
    started_at: datetime | None
    stop_asked_at: datetime | None
    stop_reason: str | None
    ended_at: datetime | None
    objective: float | None
    failure_reason: str | None
    log_offset: int
    uploaded_at: datetime | None
    attempt: int
    runner: str | None
    node: str | None
    slot: str | None
    pending: str | None
    modified_at: datetime
    tuning_job_name: str
    listed: bool

    @property
    def valid_objective(self) -> float | None:
        """The objective, if it counts: it is finite, and the training job didn't fail."""
        return valid_objective(self.status, self.objective)

    @property
    def hyperparameters(self) -> dict[str, str]:
        """The tuned hyperparameters, in AMT's spelling."""
        texts: dict[str, str] = json.loads(self.hyperparameters_text)
        return texts


@cache
def select_training_jobs() -> sa.Select[Any]:
    """Return the query for training jobs; its columns are the fields of TrainingJobRow, in their order."""
    computed: dict[str, sa.ColumnElement[Any]] = {
        "hyperparameters_text": training_jobs.c.hyperparameters,
        "modified_at": MODIFIED_AT,
        "tuning_job_name": tuning_jobs.c.name,
        "listed": tuning_jobs.c.listed,
    }
    columns = [
        computed[name].label(name) if name in computed else training_jobs.c[name] for name in TrainingJobRow._fields
    ]
    return sa.select(*columns).join_from(training_jobs, tuning_jobs, training_jobs.c.tuning_job == tuning_jobs.c.id)
