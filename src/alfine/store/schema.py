"""The tables of the store, their columns and indexes.

A fact is a column or a row of what it is about, together with its number (`…_fact`, `fact`), so that nothing is recorded twice.
Migrations in `migrations/versions` build the same tables step by step; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles

REVISION = "0017"  # the newest migration; a store with an older one is upgraded when it is opened
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(sa.TypeDecorator[datetime]):
    """Stores an aware UTC datetime as whole microseconds since 1970."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Line(sa.TypeDecorator[str]):
    """A text that is compared and sorted by its code points, as SQLite does, whatever the language of the database is.

    PostgreSQL keeps no NUL characters, which a training job may write: they are stored as U+FFFD, in both databases.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.Text(collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return self.without_nul(value) if value and "\0" in value else value

    @staticmethod
    def without_nul(text: str) -> str:
        """Return a text as it is stored."""
        return text.replace("\0", "\ufffd")


@compiles(Line, "postgresql")
def _line_of_postgresql(line: Line, compiler: Any, **_: Any) -> str:  # noqa: ARG001 - SQLAlchemy's signature
    return 'TEXT COLLATE "C"'


TABLES = sa.MetaData()

tuning_jobs = sa.Table(
    "tuning_jobs",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", Line, nullable=False, unique=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("status", Line, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("modified_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("stop_requested_at", Instant),
    sa.Column("stop_fact", sa.Integer),
    sa.Column("facts", sa.Integer, nullable=False),  # how many facts were recorded
    sa.Column("judged", sa.Integer, nullable=False),  # how many of them the verdicts take into account
    sa.Column("verdict", sa.Text),
    sa.Column("verdicts", sa.Text),
    sa.Column("failure_reason", Line),
    sa.Column("owner", Line),
    sa.Column("failed_tries", sa.Integer, nullable=False, server_default="0"),  # in a row (jobs/failed_runs.py)
    sa.Column("failed_at", Instant),  # the last of them
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),  # raised by each takeover (store/leases.py)
    # False for a deleted job, and for the holder of a single training job
    sa.Column("listed", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("note", Line),  # what people wrote about it
    sa.Index("tuning_jobs_by_name", "listed", "name"),
    sa.Index("tuning_jobs_by_status", "listed", "status", "name"),
    sa.Index("tuning_jobs_by_age", "listed", "created_at", "name"),
    sa.Index("tuning_jobs_by_change", "listed", "modified_at", "name"),
    sa.Index("tuning_jobs_by_any_case", sa.text("lower(name)")),
)

# The last id that a tuning job was given (one row). SQLite would give the id of a deleted tuning job to the next one, and whoever knows the
# deleted one by its id would take them for the same.
last_tuning_job = sa.Table(
    "last_tuning_job",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
)

training_jobs = sa.Table(
    "training_jobs",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", Line, nullable=False, unique=True),
    sa.Column("definition", Line),
    sa.Column("hyperparameters", sa.Text, nullable=False),
    sa.Column("status", Line, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_fact", sa.Integer, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("started_fact", sa.Integer),
    sa.Column("stop_asked_at", Instant),
    sa.Column("stop_fact", sa.Integer),
    sa.Column("stop_reason", Line),
    sa.Column("ended_at", Instant),
    sa.Column("ended_fact", sa.Integer),
    sa.Column("objective", sa.Float),
    sa.Column("failure_reason", Line),
    sa.Column("log_offset", sa.BigInteger, nullable=False),  # bytes of the log whose metrics were recorded
    sa.Column("uploaded_at", Instant),
    sa.Column("failed_tries", sa.Integer, nullable=False, server_default="0"),  # in a row (jobs/tries.py)
    sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),  # where it runs: store/placements.py
    sa.Column("runner", sa.Text),
    sa.Column("node", sa.Text),
    sa.Column("slot", sa.Text),
    sa.Column("pending", sa.Text),
    sa.Index("training_jobs_by_name", "tuning_job", "name"),
    sa.Index("training_jobs_by_status", "tuning_job", "status", "name"),
    sa.Index("training_jobs_by_objective", "tuning_job", "objective", "ended_fact"),
    sa.Index("training_jobs_by_value", "tuning_job", "objective", "name"),
    sa.Index("training_jobs_by_end", "tuning_job", "ended_fact"),
    sa.Index("training_jobs_by_age", "created_at", "name"),
    sa.Index(
        "training_jobs_by_change",
        sa.text("coalesce(uploaded_at, ended_at, stop_asked_at, started_at, created_at)"),
        "name",
    ),
    sa.Index("training_jobs_by_any_case", sa.text("lower(name)")),
    sa.Index("all_training_jobs_by_status", "status", "name"),
    sa.Index("all_training_jobs_by_status_and_age", "status", "created_at", "name"),
)

metrics = sa.Table(
    "metrics",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("metric", Line, nullable=False),
    sa.Column("step", sa.Float, nullable=False),
    sa.Column("value", sa.Float, nullable=False),
    sa.Index("metrics_of_training_job", "tuning_job", "number"),
)

inherited = sa.Table(
    "inherited",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # in the order of the parents, then of completion
    sa.Column("parent", Line, nullable=False),
    sa.Column("name", Line, nullable=False),
    sa.Column("hyperparameters", sa.Text, nullable=False),
    sa.Column("static", sa.Text, nullable=False),
    sa.Column("status", Line, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("objective", sa.Float, nullable=False),
)

tags = sa.Table(
    "tags",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # of the training job; 0 stands for the tuning job itself
    sa.Column("key", Line, primary_key=True),
    sa.Column("value", Line, nullable=False),
)

# What users changed of a tuning job. A changed job has one row with the request that created it (fact 0), one row for each later
# request, and one row without a request for each requested stop from which a later change resumed the job.
changes = sa.Table(
    "changes",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("request", sa.Text),
)

# Instants at which the passing of time alone made the verdict stronger.
passed = sa.Table(
    "passed",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)

# The engines that share this database, and when each said last that it runs, by the clock of the database.
servers = sa.Table(
    "servers",
    TABLES,
    sa.Column("id", Line, primary_key=True),
    sa.Column("url", Line),  # of `alfine serve`; NULL for an engine that serves nobody
    sa.Column("node", Line, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)

# Sessions and one-time links of the console, as hashes of their tokens.
console_tokens = sa.Table(
    "console_tokens",
    TABLES,
    sa.Column("hash", Line, primary_key=True),
    sa.Column("kind", Line, nullable=False),
    sa.Column("access_key", Line, nullable=False),
    sa.Column("form_token", Line, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Index("console_tokens_by_kind", "kind", "until"),
)

algorithms = sa.Table(
    "algorithms",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", Line, nullable=False),
    sa.Column("request", sa.Text, nullable=False),  # CreateAlgorithm's, without its tags
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("algorithms_by_name", "name"),
    sa.Index("algorithms_by_any_case", sa.text("lower(name)"), unique=True),
    sa.Index("algorithms_by_age", "created_at", "name"),
)

access_keys = sa.Table(
    "access_keys",
    TABLES,
    sa.Column("id", Line, primary_key=True),
    sa.Column("secret", Line, nullable=False),  # signatures are computed with it, so that a hash wouldn't do
    sa.Column("created_at", Instant, nullable=False),
)

# The receivers that are told of state changes (store/webhook_cursors.py). `since`: changes before it aren't told. `looked_at`: tuning
# jobs that changed long before it have been told of. `owner`: the server that sends.
webhooks = sa.Table(
    "webhooks",
    TABLES,
    sa.Column("url", Line, primary_key=True),
    sa.Column("since", Instant, nullable=False),
    sa.Column("looked_at", Instant, nullable=False),
    sa.Column("owner", Line),
    sa.Column("owned_until", Instant),
)

# The last fact of each tuning job that a receiver was told of, and the tuning job's status that it was told last.
webhook_cursors = sa.Table(
    "webhook_cursors",
    TABLES,
    sa.Column("url", Line, sa.ForeignKey("webhooks.url", ondelete="CASCADE"), primary_key=True),
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fact", sa.Integer, nullable=False),
    sa.Column("status", Line),
    sa.Index("webhook_cursors_of_tuning_job", "tuning_job"),
)

# The experiment trackers of each tuning job (store/tracker_cursors.py). `fact`, `status`: the last fact that the tracker was told of, and the
# tuning job's status that it was told last. `owner`: the engine that tells it. `place`: where a user looks at the tracker. `failure`: why it
# couldn't be told, since when.
tracked = sa.Table(
    "tracked",
    TABLES,
    sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tracker", Line, primary_key=True),
    sa.Column("fact", sa.Integer, nullable=False),
    sa.Column("status", Line),
    sa.Column("owner", Line),
    sa.Column("owned_until", Instant),
    sa.Column("place", Line),
    sa.Column("failure", Line),
    sa.Column("failing_since", Instant),
    sa.Index("tracked_by_status", "tracker", "status"),
)
