"""The part of the store that says where training jobs run: their attempts, nodes and slots, written before they start there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from alfine.core.errors import Fenced, NotFound
from alfine.store.database import Connection, Database
from alfine.store.leases import DELETED, FENCED
from alfine.store.placement import Placement
from alfine.store.schema import training_jobs, tuning_jobs

_RUNNING = (
    sa.select(*(training_jobs.c[name] for name in ("number", "attempt", "runner", "node", "slot", "pending")))
    .where(training_jobs.c.tuning_job == sa.bindparam("job"))
    .where(training_jobs.c.ended_at.is_(None))
)


def placements(connection: Connection, job: int) -> dict[int, Placement]:
    """Return where the running training jobs of a tuning job are, by number.

    Args:
        connection: An open connection.
        job: The tuning job's id.
    """
    return {
        row.number: Placement(attempt=row.attempt, runner=row.runner, node=row.node, slot=row.slot, pending=row.pending)
        for row in connection.execute(_RUNNING, {"job": job})
    }


# Built once, so that SQLAlchemy's cache of compiled statements finds them.
_TO_WRITE = (
    sa.select(tuning_jobs.c.id, tuning_jobs.c.epoch)
    .where(tuning_jobs.c.name == sa.bindparam("tuning_job_name"))
    .with_for_update()
)
_OF_RUNNING = sa.update(training_jobs).where(
    training_jobs.c.tuning_job == sa.bindparam("job"),
    training_jobs.c.name == sa.bindparam("training_job_name"),
    training_jobs.c.ended_at.is_(None),
)
_PEND = _OF_RUNNING.values(pending=sa.bindparam("to_pending"))
_PLACE = _PEND.values(
    {name: sa.bindparam(f"to_{name}") for name in ("attempt", "runner", "node", "slot")}
    | {
        "log_offset": sa.case(
            (training_jobs.c.attempt == sa.bindparam("to_attempt"), training_jobs.c.log_offset), else_=0
        )
    }
)


class Placements:
    """Writes where training jobs run: a base of Store."""

    database: Database

    def place(self, tuning_job: str, name: str, placement: Placement, epoch: int | None = None) -> None:
        """Write where an attempt of a training job is to start. A crash after this finds it there.

        Args:
            tuning_job: The tuning job.
            name: The training job.
            placement: Where. A later attempt than the recorded one begins with none of its log read.
            epoch: That of the engine's claim; None for whoever isn't an engine.

        Raises:
            Fenced: Another engine has claimed the tuning job since: the training job may not start.
            NotFound: The tuning job was deleted.
        """
        values = {f"to_{key}": getattr(placement, key) for key in ("attempt", "runner", "node", "slot", "pending")}
        self._change_place(tuning_job, name, _PLACE, values, epoch)

    def pend(self, tuning_job: str, name: str, reason: str | None, epoch: int | None = None) -> None:
        """Write why a training job can't be placed yet; None: it is. Other arguments and errors are those of `place`."""
        self._change_place(tuning_job, name, _PEND, {"to_pending": reason}, epoch)

    def _change_place(
        self, tuning_job: str, name: str, change: sa.Update, values: Mapping[str, Any], epoch: int | None
    ) -> None:
        with self.database.writing() as connection:
            row = connection.execute(_TO_WRITE, {"tuning_job_name": tuning_job}).first()
            if row is None:
                raise NotFound(DELETED)
            if epoch not in (None, row.epoch):
                raise Fenced(FENCED)
            connection.execute(change, {"job": row.id, "training_job_name": name, **values})
