"""Tags, and the indexes that pages of training jobs need."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "tags",
        sa.Column("tuning_job", sa.Integer, sa.ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_index("training_jobs_by_name", "training_jobs", ["tuning_job", "name"])
    op.create_index("training_jobs_by_status", "training_jobs", ["tuning_job", "status", "name"])
    op.create_index("training_jobs_by_objective", "training_jobs", ["tuning_job", "objective", "ended_fact"])
    op.create_index("training_jobs_by_age", "training_jobs", ["created_at"])
    op.create_index("metrics_of_training_job", "metrics", ["tuning_job", "number"])
