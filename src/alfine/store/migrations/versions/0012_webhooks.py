"""Add how far each webhook has been told about state changes, and the index by which they are found."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

LINE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("url", LINE, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("looked_at", sa.BigInteger, nullable=False),
        sa.Column("owner", LINE),
        sa.Column("owned_until", sa.BigInteger),
    )
    op.create_table(
        "webhook_cursors",
        sa.Column("url", LINE, sa.ForeignKey("webhooks.url", ondelete="CASCADE"), primary_key=True),
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("fact", sa.Integer, nullable=False),
        sa.Column("status", LINE),
    )
    op.create_index("webhook_cursors_of_tuning_job", "webhook_cursors", ["tuning_job"])
    op.create_index("training_jobs_by_end", "training_jobs", ["tuning_job", "ended_fact"])
