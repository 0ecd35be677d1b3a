"""Add the note of each tuning job."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("tuning_jobs", sa.Column("note", sa.Text().with_variant(sa.Text(collation="C"), "postgresql")))
