"""Tuning jobs, training jobs, metrics."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tuning_jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False, index=True),
        sa.Column("modified_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("stop_requested_at", sa.BigInteger),
        sa.Column("stop_fact", sa.Integer),
        sa.Column("facts", sa.Integer, nullable=False),
        sa.Column("judged", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("verdicts", sa.Text),
        sa.Column("failure_reason", sa.Text),
        sa.Column("owner", sa.Text),
        sa.Column("owned_until", sa.BigInteger),
    )
    op.create_table(
        "training_jobs",
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("definition", sa.Text),
        sa.Column("hyperparameters", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_fact", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("started_fact", sa.Integer),
        sa.Column("stop_asked_at", sa.BigInteger),
        sa.Column("stop_fact", sa.Integer),
        sa.Column("stop_reason", sa.Text),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("ended_fact", sa.Integer),
        sa.Column("objective", sa.Float),
        sa.Column("failure_reason", sa.Text),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "metrics",
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("fact", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("step", sa.Float, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
    )
