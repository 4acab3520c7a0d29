"""Administrative calls that a role did not allow: each is known to the audit, and no flood of them fills it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from deployments.access.audit import Action, AuditEvent, Outcome
from deployments.access.caller import Caller
from deployments.access.roles import Permission

TELL_SECONDS = 600.0
MOST_KINDS = 100
ADMINISTRATIVE = frozenset(
    {
        Permission.CHANGE_TRAFFIC,
        Permission.APPROVE,
        Permission.MANAGE_KEYS,
        Permission.READ_LOG,
        Permission.READ_AUDIT,
    }
)
"""What a predict request never takes: a refusal of it is somebody at the wrong door."""


@dataclass(slots=True)
class _Kind:
    """Refusals of one permission to one caller since the first was told."""

    caller: Caller
    permission: Permission
    more: int = 0


class RefusedCalls:
    """Puts refusals into the audit: the first of a caller and a permission at once, the others as a number.

    Between two calls of ``tell`` at most ``MOST_KINDS`` refusals are told singly and as many numbers follow, and
    one number for whoever came after them: about 200 events in ten minutes, whatever is sent.

    Args:
        record: Takes an event; returns at once.
        now: Seconds since 1970.
    """

    def __init__(self, record: Callable[[AuditEvent], None], now: Callable[[], float] = time.time) -> None:
        self._record, self._now = record, now
        self._lock = Lock()
        self._kinds: dict[tuple[str, Permission], _Kind] = {}
        self._of_others = 0

    def note(self, caller: Caller, permission: Permission, call: str) -> None:
        """Keep one refusal in mind; returns at once.

        Args:
            caller: Who was refused.
            permission: What it takes.
            call: What was asked: method and path.
        """
        if permission not in ADMINISTRATIVE:
            return
        with self._lock:
            kind = self._kinds.get((caller.name, permission))
            if kind is not None:
                kind.more += 1
            elif len(self._kinds) >= MOST_KINDS:
                self._of_others += 1
            else:
                self._kinds[caller.name, permission] = _Kind(caller, permission)
                self._record(self._event(caller.name, caller.credential, call, {"permission": permission.value}))

    def tell(self) -> None:
        """Put the numbers of what was not told singly into the audit, and begin anew."""
        with self._lock:
            kinds, others = self._kinds, self._of_others
            self._kinds, self._of_others = {}, 0
        for kind in kinds.values():
            if kind.more:
                detail = {"permission": kind.permission.value, "more": kind.more}
                self._record(self._event(kind.caller.name, kind.caller.credential, "calls", detail))
        if others:
            self._record(self._event("others", "", "calls", {"more": others}))

    def _event(self, actor: str, credential: str, subject: str, detail: Mapping[str, object]) -> AuditEvent:
        at = datetime.fromtimestamp(self._now(), UTC)
        return AuditEvent(at, actor, credential, Action.CALL_REFUSED, subject, Outcome.REFUSED, detail)
