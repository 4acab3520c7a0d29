"""What a command of this machine writes into the audit: who did what, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.contracts.errors import RaygateError
from ray_apps.cli import console, person
from ray_apps.settings import Settings


@contextmanager
def recorded(settings: Settings, action: Action, subject: str, **detail: object) -> Iterator[None]:
    """Put what happens inside into the audit, however it ends.

    A database that is down blocks nothing, least of all a way back: it is said, and the endpoint store's own
    history has the decision.
    """
    outcome, reason = Outcome.DONE, ""
    try:
        yield
    except RaygateError as error:
        outcome, reason = Outcome.FAILED, str(error)
        raise
    finally:
        what = {**detail, "reason": reason} if reason else detail
        event = AuditEvent(
            datetime.now(UTC), person.at_this_machine(), "command-line", action, subject, outcome, what
        )
        _append(settings, event)


def _append(settings: Settings, event: AuditEvent) -> None:
    # Imported here: SQLAlchemy takes a quarter of a second.
    from deployments.access.stores import open_store

    try:
        open_store(settings.key_store, create=True).audit.append([event])
    except RaygateError as error:
        console.warn(f"this call is not in the audit: {error}")
