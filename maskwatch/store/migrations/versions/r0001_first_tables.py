"""Events, tallies, the people counted in them, and what was set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from maskwatch.store.schema import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("time_utc", UtcTime(), nullable=False),
        sa.Column("track_id", sa.BigInteger()),
        sa.Column("duration_s", sa.Float(53)),
        sa.Column("verdict", sa.String(32)),
        sa.Column("looks", sa.BigInteger(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("people", sa.BigInteger()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text()),
    )
    op.create_index("events_by_time", "events", ["time_utc", "id"])
    op.create_index("events_by_camera", "events", ["camera", "time_utc", "id"])
    op.create_table(
        "tallies",
        sa.Column("minute_utc", UtcTime(), primary_key=True),
        sa.Column("camera", sa.Text(), primary_key=True),
        sa.Column("zone", sa.Text(), primary_key=True),
        sa.Column("verdict", sa.String(32), primary_key=True),
        sa.Column("quarter", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "counted",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("recorded_utc", UtcTime(), nullable=False),
    )
    op.create_index("ix_counted_recorded_utc", "counted", ["recorded_utc"])
    op.create_table(
        "rejected",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("time_utc", UtcTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_rejected_time_utc", "rejected", ["time_utc"])
