"""Add the last id that a tuning job was given: no id is given twice."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table("last_tuning_job", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    op.execute("INSERT INTO last_tuning_job SELECT coalesce(max(id), 0) FROM tuning_jobs")
