"""Those whom plans name are told of decisions, which are in the ModelEndpoints' statuses, by whoever leads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from deployments.kubernetes_control import endpoint_resource
from deployments.kubernetes_control.errors import ResourceChanged, ResourceMissing
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.rollout import announcement
from deployments.rollout.control_database import Decision

Tell = Callable[[str, Decision], bool]
"""See ``Notifier.take``."""
_ATTEMPTS = 5


class Notices:
    """Hands on every decision that concerns people, in order; which was the last stands in the status.

    A leader that dies between a decision and its notice leaves it to the next one. One that dies between the
    notice and the note of it has it told twice: receivers know it by its number. It looks in a thread of its own,
    because receivers may take their time.

    Args:
        store: Has the decisions.
        tell: Tells of one, with a number that no other has.
    """

    def __init__(self, store: ResourceStore, tell: Tell) -> None:
        self._store, self._tell = store, tell
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Tell what was not told yet, if this controller leads.

        Raises:
            NotLeading: Another controller has taken over.
            KubernetesUnavailable: It could not be noted, and is noted at the next look.
        """
        resources = self._store.resources() if self._store.is_leading else {}
        for name, resource in resources.items():
            if not endpoint_resource.wants_notices(resource):
                continue
            uid, noted = resource["metadata"]["uid"], endpoint_resource.told_of(resource)
            for number, decision in endpoint_resource.decisions_of(resource).items():
                if number > max(noted, self._told.get(uid, 0)) and announcement.is_announced(decision):
                    self._tell(f"{uid}-{number}", decision)
                    self._told[uid] = number
            if self._told.get(uid, 0) > noted:
                self._note(name, self._told[uid])

    def _note(self, name: str, number: int) -> None:
        """Write how far it is; a write that loses against another one is made again, now or at the next look."""
        for _ in range(_ATTEMPTS):
            with suppress(ResourceChanged, ResourceMissing):
                self._store.note_told(name, number)
                return
