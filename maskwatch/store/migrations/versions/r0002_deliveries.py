"""Who is to be told of which event, and how receivers fare."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from maskwatch.store.schema import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the outbox."""
    op.create_table(
        "deliveries",
        sa.Column("event_id", sa.Uuid(), sa.ForeignKey("events.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("receiver", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("made_utc", UtcTime(), nullable=False),
        sa.Column("next_utc", UtcTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("deliveries_by_state", "deliveries", ["receiver", "state", "next_utc"])
    op.create_table(
        "receivers",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("claim", sa.String(32)),
        sa.Column("claimed_until_utc", UtcTime()),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("next_utc", UtcTime()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sent_utc", UtcTime()),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("quiet", sa.BigInteger(), nullable=False),
        sa.Column("given_up", sa.BigInteger(), nullable=False),
    )
