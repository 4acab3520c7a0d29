"""Kubernetes Events on a ModelEndpoint: what ``kubectl describe`` shows under it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from deployments.contracts.errors import RaygateError
from deployments.kubernetes_control.cluster import EVENT, MODEL_ENDPOINT, Cluster, Resource, name_of

_NOTE_LIMIT = 1024
_log = logging.getLogger("raygate.controller")


class EventRecorder:
    """Tells; an Event that cannot be written is logged and forgotten, for nothing depends on it.

    Args:
        cluster: The API.
        instance: This controller.
        clock: Time in UTC.
    """

    def __init__(self, cluster: Cluster, instance: str, clock: Callable[[], datetime]) -> None:
        self._cluster, self._instance, self._clock = cluster, instance, clock

    def tell(self, about: Resource, reason: str, note: str, is_warning: bool = False) -> None:
        """Write an Event.

        Args:
            about: The ModelEndpoint.
            reason: One word.
            note: For people.
            is_warning: Whether somebody should look.
        """
        metadata = about["metadata"]
        event = {
            **EVENT.head,
            "metadata": {"name": f"{name_of(about)}.{uuid4().hex[:16]}", "namespace": metadata["namespace"]},
            "eventTime": self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "raygate.io/controller",
            "reportingInstance": self._instance[:128],
            "action": reason,
            "reason": reason,
            "note": note[:_NOTE_LIMIT],
            "type": "Warning" if is_warning else "Normal",
            "regarding": {
                **MODEL_ENDPOINT.head,
                "name": name_of(about),
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        try:
            self._cluster.create(EVENT, event)
        except RaygateError as error:
            _log.info("an Event was not written: %s", error)
