"""What both versions of a failed rollout were asked, kept aside before retention takes it, by whoever leads."""

from __future__ import annotations

from deployments.kubernetes_control import endpoint_resource
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.rollout.decision_follower import Take


class RollbackRecords:
    """Hands on every decision that the statuses still have, until it is taken.

    Nothing remembers across processes which were: who takes knows what is kept aside already.

    Args:
        store: Has the decisions.
        take: See ``KeptRecords.take``.
    """

    def __init__(self, store: ResourceStore, take: Take) -> None:
        self._store, self._take = store, take
        self._taken: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Hand on what was not taken yet, if this controller leads."""
        if not self._store.is_leading:
            return
        there: set[tuple[str, int]] = set()
        for resource in self._store.resources().values():
            for number, decision in endpoint_resource.decisions_of(resource).items():
                there.add(key := (resource["metadata"]["uid"], number))
                if key not in self._taken and self._take(number, decision):
                    self._taken.add(key)
        self._taken &= there
