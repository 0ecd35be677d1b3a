"""Add how far each experiment tracker has been told of each tuning job."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

LINE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tracked",
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tracker", LINE, primary_key=True),
        sa.Column("fact", sa.Integer, nullable=False),
        sa.Column("status", LINE),
        sa.Column("owner", LINE),
        sa.Column("owned_until", sa.BigInteger),
        sa.Column("place", LINE),
        sa.Column("failure", LINE),
        sa.Column("failing_since", sa.BigInteger),
    )
    op.create_index("tracked_by_status", "tracked", ["tracker", "status"])
