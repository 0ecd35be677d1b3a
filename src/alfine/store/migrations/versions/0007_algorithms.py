"""Algorithms that users create."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "algorithms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("algorithms_by_name", "algorithms", ["name"])
    op.create_index("algorithms_by_any_case", "algorithms", [sa.text("lower(name)")], unique=True)
    op.create_index("algorithms_by_age", "algorithms", ["created_at", "name"])
