"""The store of keys and audit that a URI names."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.access import database
from deployments.access.audit import AuditLog
from deployments.access.key_store import KeyStore
from deployments.access.sql_audit_log import SqlAuditLog
from deployments.access.sql_key_store import SqlKeyStore
from deployments.contracts.secret_reference import given_or_resolved


@dataclass(frozen=True, slots=True)
class AccessStore:
    """Keys and audit of one database."""

    keys: KeyStore
    audit: AuditLog


def open_store(store: str, create: bool = False) -> AccessStore:
    """The store of an access policy.

    Args:
        store: A URI, or a reference to one; see ``AccessPolicy.store``.
        create: Make the tables where they are missing: for those who administer. Gateways need no right to.

    Raises:
        SecretUnavailable: The reference leads nowhere.
        StoreUnavailable: The tables are to be made, and the database does not answer.
    """
    engine = database.connect(given_or_resolved(store))
    if create:
        database.create_tables(engine)
    return AccessStore(SqlKeyStore(engine), SqlAuditLog(engine))
