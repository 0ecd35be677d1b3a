"""Rows of the table tuning_jobs: writing a new one, changing one, and appending facts to its count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from alfine.core.facts import Fact, Launched
from alfine.core.spec import TuningJobSpec
from alfine.core.verdict import Verdict
from alfine.store.database import Connection
from alfine.store.facts import write_facts
from alfine.store.names import check_training_job_name, check_tuning_job_name
from alfine.store.postgres import lock_names
from alfine.store.schema import changes, last_tuning_job, tuning_jobs
from alfine.store.tags import tags_in, write_tags

# Built once, so that SQLAlchemy's cache of compiled statements finds them.
FACTS_OF = sa.select(tuning_jobs.c.facts).where(tuning_jobs.c.id == sa.bindparam("job"))
_LOCK = FACTS_OF.with_for_update()  # SQLite has locked the database
_COUNT_FACTS = (
    sa.update(tuning_jobs)
    .where(tuning_jobs.c.id == sa.bindparam("job"))
    .values(facts=tuning_jobs.c.facts + sa.bindparam("new"))
)
# An epoch of 0, which no claim has, stands for whatever it is.
_SAME_EPOCH = (sa.bindparam("claimed", type_=sa.Integer) == 0) | (tuning_jobs.c.epoch == sa.bindparam("claimed"))
APPEND = _COUNT_FACTS.where(tuning_jobs.c.facts == sa.bindparam("known"), _SAME_EPOCH)
APPEND_AND_JUDGE = APPEND.values({name: sa.bindparam(f"to_{name}") for name in ("judged", "verdict", "verdicts")})

_NEWEST = sa.select(sa.func.coalesce(sa.func.max(tuning_jobs.c.id), 0)).scalar_subquery()
# Rows that were copied from another database have ids, too.
_LAST = sa.case((last_tuning_job.c.id > _NEWEST, last_tuning_job.c.id), else_=_NEWEST)
_NEXT_ID = sa.update(last_tuning_job).values(id=_LAST + 1).returning(last_tuning_job.c.id)


def update_row(connection: Connection, job: int, values: Mapping[str, Any]) -> None:
    connection.execute(sa.update(tuning_jobs).where(tuning_jobs.c.id == job).values(values))


def lock_row(connection: Connection, job: int) -> None:
    """Keep others from writing about a tuning job until the transaction ends."""
    connection.execute(_LOCK, {"job": job})


def insert_row(connection: Connection, spec: TuningJobSpec, at: datetime) -> int:
    """Write a new tuning job's row and tags, and return its id."""
    lock_names(connection)
    if spec.single_training_job:
        check_training_job_name(connection, spec.single_training_job)
    else:
        check_tuning_job_name(connection, spec.name)
    job = int(connection.execute(_NEXT_ID).scalar_one())
    row = {
        "id": job,
        "name": spec.name,
        "request": json.dumps(spec.request),
        "status": "InProgress",
        "created_at": at,
        "modified_at": at,
        "facts": 0,
        "judged": 0,
        "listed": spec.single_training_job is None,
    }
    connection.execute(sa.insert(tuning_jobs).values(row))
    write_tags(connection, job, 0, tags_in(spec.request))
    if spec.single_training_job:
        append_fact(connection, job, Launched(at=at, number=1, name=spec.single_training_job, hyperparameters={}))
    return job


def append_fact(connection: Connection, job: int, fact: Fact) -> None:
    """Append one fact, whatever was recorded before."""
    connection.execute(_COUNT_FACTS, {"job": job, "new": 1})
    number = connection.execute(FACTS_OF, {"job": job}).scalar_one()
    write_facts(connection, job, [fact], number, None)


def verdict_values(judged: tuple[int, Verdict, Sequence[Verdict]] | None) -> dict[str, Any]:
    if judged is None:
        return {}
    count, strongest, last = judged
    verdicts = json.dumps([verdict.as_dict() for verdict in last])
    return {"to_judged": count, "to_verdict": json.dumps(strongest.as_dict()), "to_verdicts": verdicts}


def write_change(connection: Connection, row: Row[Any], spec: TuningJobSpec, at: datetime) -> None:
    """Write a changed request, with the first one beside the first change, and with a stop that it revokes."""
    facts = [{"fact": row.facts + 1, "at": at, "request": json.dumps(spec.request)}]
    if not connection.execute(sa.select(changes.c.fact).where(changes.c.tuning_job == row.id)).first():
        facts.append({"fact": 0, "at": row.created_at, "request": row.request})
    if row.stop_fact is not None:
        facts.append({"fact": row.stop_fact, "at": row.stop_requested_at, "request": None})
    connection.execute(sa.insert(changes), [{"tuning_job": row.id, **fact} for fact in facts])
