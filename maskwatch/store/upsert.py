"""INSERT with ON CONFLICT, which both databases have, each with a class of its own for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

__all__ = ["insert_into"]


def insert_into(connection: Connection, table: type[Any]) -> Any:
    """Return an INSERT that knows ON CONFLICT.

    The rows are given to `execute`, not to the statement: it is then put together once, which takes longer than SQLite
    takes to write.

    Args:
        connection: to SQLite or PostgreSQL; only its dialect is loaded, and none by those who only read.
        table: a mapped class.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table.__table__)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table.__table__)
