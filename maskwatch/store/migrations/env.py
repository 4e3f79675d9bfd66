"""Runs migrations over the connection that `maskwatch.store.migrate` opened; Alembic executes this file."""

from __future__ import annotations

from alembic import context

from maskwatch.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can't change a column in place.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
