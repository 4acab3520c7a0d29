"""Decisions on their way from the ModelEndpoints' statuses to the audit's database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from deployments.kubernetes_control import endpoint_resource
from deployments.kubernetes_control.cluster import Resource
from deployments.rollout.control_database import Decision
from deployments.rollout.decision_audit import DecisionAudit, Entry

BOUND = 10_000
_Key = tuple[str, int]
_log = logging.getLogger("raygate.audit")


class DecisionOutbox:
    """Carries every decision once, whichever process made it.

    A status keeps the latest decisions, so what was not carried when a process died is carried by the next one.
    What leaves a status meanwhile is held in memory, up to a bound; past it the oldest go to the process's log.

    Args:
        audit: Takes them.
        resources: The ModelEndpoints as they were last heard of.
    """

    def __init__(self, audit: DecisionAudit, resources: Callable[[], Iterable[Resource]]) -> None:
        self._audit, self._resources = audit, resources
        self._waiting: dict[_Key, Entry] = {}
        self._carried: set[_Key] = set()

    def add(self, resource: Resource, number: int, decision: Decision) -> None:
        """Note a decision; returns at once."""
        entry = Entry(resource["metadata"]["uid"], number, decision)
        self._waiting.setdefault((entry.source, entry.number), entry)

    def look(self) -> None:
        """Carry what was not carried yet, the oldest first.

        Raises:
            RaygateError: See ``DecisionAudit.append``; it is kept for the next look.
        """
        in_status = set()
        for resource in self._resources():
            for number, decision in endpoint_resource.decisions_of(resource).items():
                key = (resource["metadata"]["uid"], number)
                in_status.add(key)
                if key not in self._carried:
                    self.add(resource, number, decision)
        waiting = dict(sorted(self._waiting.copy().items(), key=lambda item: item[1].decision.at))
        self._give_up(waiting)
        if waiting:
            self._audit.append(list(waiting.values()))
        for key in waiting:
            self._waiting.pop(key, None)
        self._carried = (self._carried | waiting.keys()) & in_status

    def _give_up(self, waiting: dict[_Key, Entry]) -> None:
        for key in list(waiting)[: max(0, len(waiting) - BOUND)]:
            _log.error("not written to the audit: %s", waiting.pop(key))
            del self._waiting[key]
