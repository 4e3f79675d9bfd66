"""Connections to the record's database, SQLite or PostgreSQL: bounded in time, with errors in our words."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from maskwatch.errors import ConfigError, RecordRefused, StoreDown, StoreError

__all__ = ["WRITING", "make_engine", "place_of", "store_url", "translated"]

WRITING = {"maskwatch_writes": True}
"""Execution options of a connection that will write: SQLite then waits for its turn before it reads, not in between,
where waiting would be refused."""

_BUSY_S = 10.0
"""How long a writer waits for another; a batch takes milliseconds, a chunk of the purge tens of them."""
_CONNECT_S = 5
_STATEMENT_MS = 60_000
"""A year of tallies of a hundred cameras is summed up in a few seconds."""


def store_url(text: str) -> URL:
    """Read the record's address.

    Args:
        text: `sqlite:////absolute/path` or `postgresql://USER:PASSWORD@HOST/DATABASE`.

    Raises:
        ConfigError: if it is another, or the driver isn't installed; never tells the password.
    """
    expected = "expected sqlite:////ABSOLUTE/PATH or postgresql://USER:PASSWORD@HOST/DATABASE; correct store.url"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a ValueError of a port that is no number
        raise ConfigError(f"the record's address can't be understood; {expected}") from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ConfigError(f"the record's SQLite address names no file, or more than a file; {expected}")
        return url
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if importlib.util.find_spec("psycopg") is None:
            raise ConfigError(
                "store.url is PostgreSQL and its driver isn't installed; `pip install maskwatch[postgres]`"
            )
        return url.set(drivername="postgresql+psycopg")
    raise ConfigError(f"the record's address begins with {url.drivername!r}; {expected}")


def place_of(url: URL) -> str:
    """Return where the record is, for people: without credentials and options."""
    if url.drivername == "sqlite":
        return f"SQLite {url.database}"
    return f"PostgreSQL {url.host or url.query.get('host') or 'localhost'}/{url.database or ''}"


def make_engine(url: URL) -> Engine:
    """Prepare an engine; the first connection is made by its first use."""
    if url.drivername == "sqlite":
        return _sqlite_engine(url)
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=4,
        pool_timeout=_BUSY_S,
        connect_args={
            "connect_timeout": _CONNECT_S,
            # A server that vanished without a word is noticed by the kernel, whatever waits for its answer.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            "options": f"-c timezone=UTC -c statement_timeout={_STATEMENT_MS} -c lock_timeout={round(_BUSY_S * 1000)}",
        },
    )


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_S}, pool_timeout=_BUSY_S)

    @event.listens_for(engine, "do_connect")
    def private_file(_dialect: object, _record: object, _words: list[Any], _options: dict[str, Any]) -> None:
        # The record is about people: nobody but us reads it. Its -wal and -shm files inherit the mode.
        path = Path(str(url.database))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # The driver's own transactions begin too late; ours are begun below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # A commit is on disk when it returns: what is acknowledged is removed from the stream.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        is_writing = connection.get_execution_options().get("maskwatch_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


@contextmanager
def translated(url: URL, doing: str) -> Iterator[None]:
    """Turn the database's errors into the project's.

    Args:
        url: of the database; named in the message without its password.
        doing: what was tried, for the message.

    Raises:
        StoreDown: if it can't be reached, is locked for too long, or has no room.
        RecordRefused: if it doesn't take a value.
        StoreError: if it says anything else.
    """
    place = place_of(url)
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise RecordRefused(f"{place} refused a value while {doing}: {_first_line(error)}") from error
    except ProgrammingError as error:
        raise StoreError(
            f"{place} doesn't know what was asked while {doing}: {_first_line(error)}; "
            "has `maskwatch recorder` run, which makes the tables?"
        ) from error
    except (OperationalError, InterfaceError, InternalError, PoolTimeoutError, OSError) as error:
        if "no such table" in str(error) or "no such column" in str(error):
            raise StoreError(
                f"{place} has no tables of this version ({_first_line(error)}); `maskwatch recorder` makes them"
            ) from error
        raise StoreDown(
            f"{place} can't be used while {doing}: {_first_line(error)}; is it running, and is there room on its disk?"
        ) from error
    except SQLAlchemyError as error:
        if isinstance(error, StatementError) and not isinstance(error, DBAPIError):  # it never came to the database
            raise RecordRefused(f"{place} was given a value it can't hold while {doing}: {error.orig}") from error
        raise StoreError(f"{place} failed while {doing}: {_first_line(error)}{_way_out(error)}") from error


def _way_out(error: Exception) -> str:
    if any(words in str(error) for words in ("not a database", "malformed")):  # SQLITE_NOTADB, SQLITE_CORRUPT
        return "; move the file away, put back a copy of the record, or correct store.url"
    return ""


def _first_line(error: Exception) -> str:
    """Return what the driver says, without the statement and its values, which may hold anything."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(said).strip() or type(said).__name__
    return text.splitlines()[0][:300]
