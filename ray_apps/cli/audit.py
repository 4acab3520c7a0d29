"""What a command of this machine writes into the audit: who did what, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import MappingProxyType

from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.contracts.errors import RaygateError
from ray_apps.cli import console, person
from ray_apps.settings import Settings


@contextmanager
def recorded(
    settings: Settings,
    action: Action,
    subject: str,
    detail: Mapping[str, object] = MappingProxyType({}),
    warn: Callable[[str], None] = console.warn,
) -> Iterator[dict[str, object]]:
    """Put what happens inside into the audit, however it ends.

    A database that is down blocks nothing, least of all a way back: it is said, and the endpoint store's own
    history has the decision.

    Args:
        settings: Say where the audit is.
        action: What is done.
        subject: What it is done to.
        detail: What is needed to understand it; what is known at the end only goes into what this yields.
        warn: Says that the audit could not be written.
    """
    outcome, told = Outcome.DONE, dict(detail)
    try:
        yield told
    except BaseException as error:  # somebody who interrupts it has not done it
        told["reason"] = str(error) if isinstance(error, RaygateError) else type(error).__name__
        outcome = Outcome.FAILED
        raise
    finally:
        event = AuditEvent(
            datetime.now(UTC), person.at_this_machine(), "command-line", action, subject, outcome, told
        )
        _append(settings, event, warn)


def _append(settings: Settings, event: AuditEvent, warn: Callable[[str], None]) -> None:
    # Imported here: SQLAlchemy takes a quarter of a second.
    from deployments.access.stores import open_store

    try:
        open_store(settings.key_store, create=True).audit.append([event])
    except RaygateError as error:
        warn(f"this call is not in the audit: {error}")
