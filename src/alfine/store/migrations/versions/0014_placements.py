"""Add where each training job runs: its attempt, its runner, its node and slot, or why it has none yet."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("attempt", sa.Integer, nullable=False, server_default="1"))
    for name in ("runner", "node", "slot", "pending"):
        op.add_column("training_jobs", sa.Column(name, sa.Text))
