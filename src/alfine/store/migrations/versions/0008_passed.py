"""Instants at which time alone changed what is to become of a tuning job."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "passed",
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("fact", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
