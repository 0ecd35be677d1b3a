"""Add how often in a row the engine failed to run a tuning job, and when it did last."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("tuning_jobs", sa.Column("failed_tries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("tuning_jobs", sa.Column("failed_at", sa.BigInteger))
