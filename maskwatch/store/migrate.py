"""Brings the record's tables to this version's form.

Alembic takes 9 MB, which processes that only read the record needn't have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table, text

from maskwatch.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["newest_version", "upgrade", "version_of"]

_VERSIONS = "alembic_version"
"""Alembic's table, of one row and one column."""
_LOCK = 0x6D61736B
"""The number of PostgreSQL's advisory lock, so that two recorders that start together don't both make the tables."""


def upgrade(connection: Connection) -> None:
    """Make or change the tables, in the transaction of a connection that may write; nothing happens when all is new.

    Raises:
        StoreError: if a newer version of Maskwatch made them, or the database can't hold every text.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    if connection.dialect.name == "postgresql":
        encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
        if encoding != "UTF8":
            raise StoreError(
                f"the record's database has the encoding {encoding}, which can't hold every text; expected UTF8: "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = version_of(connection)
    known = {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the record's tables are of version {found}, which this Maskwatch doesn't know "
            f"(it knows {newest_version()}); run the newer Maskwatch that made them"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def version_of(connection: Connection) -> str | None:
    """Return the version of the tables, None when there are none.

    Alembic, which keeps it in a table of its own, would say the same; loading it takes 0.1 to 0.2 s.
    """
    if not inspect(connection).has_table(_VERSIONS):
        return None
    found = connection.execute(select(column("version_num")).select_from(table(_VERSIONS))).scalar_one_or_none()
    return None if found is None else str(found)


def newest_version() -> str:
    """Return the version that this Maskwatch makes."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "maskwatch.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
