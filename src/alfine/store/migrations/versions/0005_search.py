"""Add the time of a job's last change, by which Search sorts by default."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
LAST = "coalesce(uploaded_at, ended_at, stop_asked_at, started_at, created_at)"


def upgrade() -> None:
    op.create_index("training_jobs_by_change", "training_jobs", [sa.text(LAST), "name"])
    op.create_index("tuning_jobs_by_change", "tuning_jobs", ["listed", "modified_at", "name"])
