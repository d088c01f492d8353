"""The databases of the case store: how they are opened, and what is done differently on SQLite and PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from worker.store.private import make_folder, open_private
from worker.store.secret import read_password

_BUSY_SECONDS = 15
"""For which a writer of SQLite waits for another."""
_LOCK = 0x5C12B
"""Number of our lock on PostgreSQL, which is known in one database alone."""


def engine_of(url: str, password_file: Path | None = None) -> Engine:
    """Opens a database, and makes a file of SQLite that is not there yet, for its owner alone. The file of the password
    is read for each connection, where it raises PasswordUnusable.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
        if password_file:
            event.listen(engine, "do_connect", lambda *given: given[3].update(password=read_password(password_file)))
        return engine
    if parsed.database:
        file = Path(parsed.database)
        make_folder(file.parent)
        if not file.exists():
            os.close(open_private(file, os.O_RDWR))
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin_as_writer)
    return engine


def tables_at(url: str, password_file: Path | None = None) -> str | None:
    """Revision of the tables of a database, and nothing is made; None: there are none."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database and not Path(parsed.database).exists():
        return None
    engine = create_engine(parsed, hide_parameters=True) if sqlite else engine_of(url, password_file)
    try:
        with engine.connect() as connection:
            if not connection.dialect.has_table(connection, "alembic_version"):
                return None
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    finally:
        engine.dispose()


def file_of(engine: Engine) -> tuple[int, int] | None:
    """Which file it is; None: there is none."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        found = os.stat(engine.url.database)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the module would begin transactions itself, and as a reader
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_as_writer(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def alone_on(connection: Connection) -> None:
    """Lets no other of these transactions run meanwhile: on SQLite each is alone; on PostgreSQL who comes second waits,
    and does not fail on what the first made.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def unlogged(engine: Engine) -> None:
    """Takes what was deleted out of the log of a file of SQLite, which has it until it is written over; PostgreSQL
    gives room free at its own time.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
