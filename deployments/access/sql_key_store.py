"""API keys in a database."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Row, insert, select, update

from deployments.access.audit import AuditEvent
from deployments.access.database import KEYS, REVISION, transaction
from deployments.access.key_store import ApiKey, check_live, check_name_free, find
from deployments.access.roles import Role
from deployments.access.sql_audit_log import write


class SqlKeyStore:
    """A key store in SQLite or PostgreSQL; see KeyStore.

    Writers take turns: each changes the revision first, and so holds its row until the transaction ends.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def revision(self) -> int:
        """See KeyStore."""
        with transaction(self._engine) as connection:
            return int(connection.execute(select(REVISION.c.number)).scalar_one())

    def read(self) -> tuple[ApiKey, ...]:
        """See KeyStore."""
        with transaction(self._engine) as connection:
            return _keys(connection)

    def add(self, key: ApiKey, event: AuditEvent) -> None:
        """See KeyStore."""
        with transaction(self._engine) as connection:
            _take_turn(connection)
            check_name_free(_keys(connection), key.name, key.created)
            _insert(connection, key)
            write(connection, [event])

    def succeed(self, key_id: str, successor: ApiKey, old_expires: datetime, event: AuditEvent) -> None:
        """See KeyStore."""
        with transaction(self._engine) as connection:
            _take_turn(connection)
            old = find(_keys(connection), key_id)
            check_live(old, successor.created)
            expires = _text(min(old.expires, old_expires))
            connection.execute(update(KEYS).where(KEYS.c.key_id == key_id).values(expires=expires))
            _insert(connection, successor)
            write(connection, [event])

    def revoke(self, key_id: str, at: datetime, event: AuditEvent) -> None:
        """See KeyStore."""
        with transaction(self._engine) as connection:
            _take_turn(connection)
            key = find(_keys(connection), key_id)
            revoked = _text(key.revoked or at)
            connection.execute(update(KEYS).where(KEYS.c.key_id == key_id).values(revoked=revoked))
            write(connection, [event])


def _take_turn(connection: Connection) -> None:
    connection.execute(update(REVISION).values(number=REVISION.c.number + 1))


def _keys(connection: Connection) -> tuple[ApiKey, ...]:
    return tuple(_key(row) for row in connection.execute(select(KEYS).order_by(KEYS.c.position)))


def _insert(connection: Connection, key: ApiKey) -> None:
    connection.execute(
        insert(KEYS).values(
            key_id=key.key_id,
            name=key.name,
            role=key.role.value,
            digest=key.digest,
            created=_text(key.created),
            expires=_text(key.expires),
            revoked=_text(key.revoked) if key.revoked else None,
        )
    )


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        key_id=row.key_id,
        name=row.name,
        role=Role(row.role),
        digest=bytes(row.digest),
        created=datetime.fromisoformat(row.created),
        expires=datetime.fromisoformat(row.expires),
        revoked=datetime.fromisoformat(row.revoked) if row.revoked else None,
    )


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
