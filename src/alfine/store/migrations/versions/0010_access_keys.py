"""Add access keys, which were files before, and compare PostgreSQL's texts by their code points, as SQLite does."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXTS = {
    "tuning_jobs": ("name", "status", "failure_reason", "owner"),
    "training_jobs": ("name", "definition", "status", "stop_reason", "failure_reason"),
    "metrics": ("metric",),
    "inherited": ("parent", "name", "status"),
    "tags": ("key", "value"),
    "algorithms": ("name",),
}


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        for table, columns in {**TEXTS, "access_keys": ("id", "secret")}.items():
            changes = ", ".join(f'ALTER COLUMN {column} TYPE TEXT COLLATE "C"' for column in columns)
            op.execute(f"ALTER TABLE {table} {changes}")
