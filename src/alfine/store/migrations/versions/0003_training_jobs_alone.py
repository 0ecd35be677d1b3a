"""Training jobs of their own: found by name in letters of any case, listed over all tuning jobs, with the end of their upload."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("uploaded_at", sa.BigInteger))
    op.create_index("training_jobs_by_value", "training_jobs", ["tuning_job", "objective", "name"])
    op.create_index("training_jobs_by_any_case", "training_jobs", [sa.text("lower(name)")])
    op.drop_index("training_jobs_by_age", "training_jobs")
    op.create_index("training_jobs_by_age", "training_jobs", ["created_at", "name"])
    op.create_index("all_training_jobs_by_status", "training_jobs", ["status", "name"])
    op.create_index("all_training_jobs_by_status_and_age", "training_jobs", ["status", "created_at", "name"])
    op.add_column("tuning_jobs", sa.Column("listed", sa.Boolean, nullable=False, server_default=sa.true()))
    op.execute("UPDATE tuning_jobs SET listed = false WHERE name LIKE '%#%'")
    op.drop_index("ix_tuning_jobs_status", "tuning_jobs")
    op.drop_index("ix_tuning_jobs_created_at", "tuning_jobs")
    op.create_index("tuning_jobs_by_any_case", "tuning_jobs", [sa.text("lower(name)")])
    op.create_index("tuning_jobs_by_name", "tuning_jobs", ["listed", "name"])
    op.create_index("tuning_jobs_by_status", "tuning_jobs", ["listed", "status", "name"])
    op.create_index("tuning_jobs_by_age", "tuning_jobs", ["listed", "created_at", "name"])
