"""Add epochs of tuning jobs, the servers that share the database, and the console's sessions and links."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

LINE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("tuning_jobs", sa.Column("epoch", sa.Integer, nullable=False, server_default="0"))
    op.drop_column("tuning_jobs", "owned_until")
    op.create_table(
        "servers",
        sa.Column("id", LINE, primary_key=True),
        sa.Column("url", LINE),
        sa.Column("node", LINE, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "console_tokens",
        sa.Column("hash", LINE, primary_key=True),
        sa.Column("kind", LINE, nullable=False),
        sa.Column("access_key", LINE, nullable=False),
        sa.Column("form_token", LINE, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("console_tokens_by_kind", "console_tokens", ["kind", "until"])
