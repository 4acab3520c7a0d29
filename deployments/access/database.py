"""The database of keys and audit: SQLite on one machine, PostgreSQL for several."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from deployments.access.errors import StoreUnavailable

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 10

METADATA = MetaData()

KEYS = Table(
    "raygate_api_keys",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("key_id", String(32), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("role", String(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("created", String(32), nullable=False),
    Column("expires", String(32), nullable=False),
    Column("revoked", String(32)),
)
REVISION = Table(
    "raygate_key_revision",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
)
"""One row."""
AUDIT = Table(
    "raygate_audit",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(300), nullable=False),
    Column("credential", String(100), nullable=False),
    Column("action", String(50), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("detail", Text, nullable=False),
)
"""Times are ISO 8601 in UTC: SQLite has no type for them, and texts of one form sort as times do."""

_DIALECTS = ("sqlite", "postgresql")
_ONE_AT_A_TIME = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(1918990695)",  # any number, the same in every release
}
_FIRST_REVISION = "INSERT INTO raygate_key_revision (id, number) VALUES (1, 0) ON CONFLICT DO NOTHING"


def connect(uri: str) -> Engine:
    """An engine for a store; connects when it is first used, and never waits longer than some seconds.

    Args:
        uri: ``sqlite:////path`` or ``postgresql://user:password@host/database``.

    Raises:
        StoreUnavailable: It is not such a URI, or the driver of PostgreSQL is not installed.
    """
    url = _parsed(uri)
    if url.get_backend_name() == "sqlite":
        return create_engine(url, connect_args={"timeout": _STATEMENT_SECONDS})
    options = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
        "options": f"-c statement_timeout={_STATEMENT_SECONDS}s",
    }
    # Connections that a restarted server has closed are noticed before they are used.
    try:
        return create_engine(url, connect_args=options, pool_pre_ping=True, pool_size=2, max_overflow=0)
    except ModuleNotFoundError as error:
        reason = f"the driver {error.name} is not installed: pip install 'psycopg[binary]'"
        raise StoreUnavailable(_shown(url), reason) from error


def create_tables(engine: Engine) -> None:
    """Make the tables where they are missing; several may do so at once.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    with creating(engine) as connection:
        if _is_complete(connection):
            return  # making triggers again would wait for writers, and they for us
        for table in METADATA.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        make_append_only(connection, AUDIT)
        connection.execute(text(_FIRST_REVISION))


@contextmanager
def creating(engine: Engine) -> Iterator[Connection]:
    """One transaction that makes tables; of several processes one does so at a time.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        with contextlib.suppress(OSError):  # SQLite says it in its own words
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    with transaction(engine) as connection:
        connection.exec_driver_sql(_ONE_AT_A_TIME[connection.dialect.name])
        yield connection


def make_append_only(connection: Connection, table: Table) -> None:
    """Let the database refuse to change or remove rows of a table, whoever asks."""
    name = table.name
    refusals = {
        "sqlite": (
            f"CREATE TRIGGER IF NOT EXISTS {name}_is_not_rewritten BEFORE UPDATE ON {name}"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
            f"CREATE TRIGGER IF NOT EXISTS {name}_is_not_removed BEFORE DELETE ON {name}"
            " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
        ),
        "postgresql": (
            f"CREATE OR REPLACE FUNCTION {name}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
            f"CREATE OR REPLACE TRIGGER {name}_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
            f" ON {name} EXECUTE FUNCTION {name}_is_append_only()",
        ),
    }
    for statement in refusals[connection.dialect.name]:
        connection.exec_driver_sql(statement)


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; an error of the database becomes ours.

    Raises:
        StoreUnavailable: The store does not answer, or has no tables yet.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        # Only the driver's words: SQLAlchemy's own repeat the statement's parameters.
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
        raise StoreUnavailable(_shown(engine.url), reason) from error


def _is_complete(connection: Connection) -> bool:
    """Whether the last thing that is made is there."""
    exists = inspect(connection).has_table(REVISION.name)
    return exists and connection.execute(select(REVISION)).first() is not None


def _parsed(uri: str) -> URL:
    try:
        url = make_url(uri)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in _DIALECTS:
        # Not repeated: it may come from a secret.
        raise StoreUnavailable("<not shown>", "its URI must be sqlite:////path or postgresql://host/database")
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
