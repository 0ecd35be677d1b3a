"""Add how often in a row something raised while a training job was prepared, observed or delivered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("failed_tries", sa.Integer, nullable=False, server_default="0"))
