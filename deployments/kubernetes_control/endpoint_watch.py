"""Every ModelEndpoint of the namespace as the API last told it, kept up to date by a watch."""

from __future__ import annotations

import logging
import threading

from deployments.contracts.errors import RaygateError
from deployments.kubernetes_control.cluster import (
    MODEL_ENDPOINT,
    Cluster,
    Resource,
    WatchEvent,
    name_of,
    version_of,
)
from deployments.kubernetes_control.errors import VersionExpired

RETRY_SECONDS = 2.0
_log = logging.getLogger("raygate.controller")


class EndpointWatch:
    """Watches in a thread of its own, whatever becomes of the connection.

    Args:
        cluster: The API.
        changed: Set whenever something may have changed.
        retry_seconds: Between two attempts to reach the API.
    """

    def __init__(self, cluster: Cluster, changed: threading.Event, retry_seconds: float = RETRY_SECONDS) -> None:
        self._cluster, self._changed, self._retry_seconds = cluster, changed, retry_seconds
        self._lock = threading.Lock()
        self._known: dict[str, Resource] = {}
        self._has_listed = threading.Event()
        self._is_silent = False

    @property
    def has_listed(self) -> bool:
        """Whether the API has ever answered: before that nothing is known, not that nothing is there."""
        return self._has_listed.is_set()

    def resources(self) -> dict[str, Resource]:
        """Every ModelEndpoint by name."""
        with self._lock:
            return dict(sorted(self._known.items()))

    def learn(self, resource: Resource) -> None:
        """Take over what a write of our own answered, before the watch tells it."""
        with self._lock:
            known = self._known.get(name_of(resource))
            # The watch may tell later of an earlier moment; acting on that would undo what was decided since.
            if known is None or version_of(known) <= version_of(resource):
                self._known[name_of(resource)] = resource

    def follow(self, stopping: threading.Event) -> None:
        """List, then watch, until it is to stop. A lost connection goes on where it was, an expired one lists."""
        since: str | None = None
        while not stopping.is_set():
            try:
                if since is None:
                    since = self._list()
                since = self._watch(since, stopping)
            except VersionExpired:
                since = None
            except RaygateError as error:
                if not self._is_silent:
                    _log.warning("ModelEndpoints cannot be watched: %s", error)
                self._is_silent = True
                stopping.wait(self._retry_seconds)
            except Exception:  # a controller that sees nothing any more must not look alive
                _log.exception("the watch of ModelEndpoints failed unexpectedly; listing again")
                since = None
                stopping.wait(self._retry_seconds)

    def _list(self) -> str:
        listing = self._cluster.list(MODEL_ENDPOINT)
        with self._lock:
            self._known = {name_of(resource): resource for resource in listing.items}
        self._has_listed.set()
        self._heard()
        return listing.resource_version

    def _watch(self, since: str, stopping: threading.Event) -> str:
        for event in self._cluster.watch(MODEL_ENDPOINT, since):
            since = event.resource["metadata"]["resourceVersion"]
            self._take(event)
            if stopping.is_set():
                break
        return since

    def _take(self, event: WatchEvent) -> None:
        if event.type == "DELETED":
            with self._lock:
                self._known.pop(name_of(event.resource), None)
        elif event.type != "BOOKMARK":
            self.learn(event.resource)
        self._heard()

    def _heard(self) -> None:
        if self._is_silent:
            _log.warning("ModelEndpoints are watched again")
        self._is_silent = False
        self._changed.set()
