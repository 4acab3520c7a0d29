"""Which of several controllers acts: a Lease that one of them holds and renews."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from deployments.contracts.errors import RaygateError
from deployments.kubernetes_control.cluster import LEASE, Cluster, Resource
from deployments.kubernetes_control.errors import ResourceChanged, ResourceMissing
from deployments.rollout.errors import NotLeading

LEASE_SECONDS = 15
RENEW_SECONDS = 3.0
_SURE_SECONDS = 10.0
"""A leader that could not renew for so long stops to act, well before another may begin."""
_EPOCH = "raygate.io/last-policy-epoch"
_log = logging.getLogger("raygate.controller")


class Leadership:
    """One controller's part in the election.

    Clocks of two machines differ, so a lease is not over when its time says so, but when it has not changed for
    its duration as this machine's clock counts.

    Args:
        cluster: Has the Lease.
        name: Of the Lease.
        holder: This controller; another name for every process.
        clock: Monotonic seconds.
    """

    def __init__(
        self, cluster: Cluster, name: str, holder: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster, self._name, self._holder, self._clock = cluster, name, holder, clock
        self._seen: tuple[str, float] | None = None
        self._renewed: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether this controller acts."""
        return self._renewed is not None and self._clock() - self._renewed < _SURE_SECONDS

    def check(self) -> None:
        """Make sure that this controller acts.

        Raises:
            NotLeading: It does not, or cannot be sure of it any more.
        """
        if not self.is_held:
            raise NotLeading(self._holder)

    def attempt(self) -> bool:
        """Take the lease if it is free, or renew it.

        Raises:
            KubernetesUnavailable: Nobody can tell who leads.
        """
        before = self._clock()
        try:
            lease = self._cluster.get(LEASE, self._name)
            if self._is_anothers(lease):
                self._renewed = None
                return False
            self._cluster.replace(LEASE, self._renewal(lease))
        except ResourceMissing:
            return self._create(before)
        except ResourceChanged:
            return False
        self._renewed = before
        return True

    def keep(self, stopping: threading.Event, changed: threading.Event) -> None:
        """Attempt again and again until it is to stop, then let go, so that another need not wait."""
        while not stopping.is_set():
            led = self.is_held
            try:
                self.attempt()
            except RaygateError as error:
                _log.warning("the lease %s could not be renewed: %s", self._name, error)
            except Exception:  # a controller that can never lead again must not look alive
                _log.exception("the lease %s could not be renewed; trying again", self._name)
            if self.is_held is not led:
                _log.info("%s %s", self._holder, "leads" if self.is_held else "does not lead")
                changed.set()
            stopping.wait(RENEW_SECONDS)
        self.release()

    def release(self) -> None:
        """Let another controller lead at once."""
        if not self.is_held:
            return
        self._renewed = None
        try:
            lease = self._cluster.get(LEASE, self._name)
            if lease["spec"].get("holderIdentity") == self._holder:
                self._cluster.replace(LEASE, {**lease, "spec": {**lease["spec"], "holderIdentity": ""}})
        except RaygateError as error:
            _log.info("the lease %s was not released: %s", self._name, error)

    def last_epoch(self) -> int:
        """The newest policy epoch of endpoints that are gone; 0 if none ever went.

        Raises:
            KubernetesUnavailable: Nobody can tell.
        """
        annotations = self._cluster.get(LEASE, self._name)["metadata"].get("annotations") or {}
        return int(annotations.get(_EPOCH, 0))

    def note_epoch(self, epoch: int) -> None:
        """Remember the epoch of an endpoint that goes: the next of its name must not begin below it."""
        if epoch > self.last_epoch():
            self._cluster.merge(LEASE, self._name, {"metadata": {"annotations": {_EPOCH: str(epoch)}}})

    def _is_anothers(self, lease: Resource) -> bool:
        holder, version = lease["spec"].get("holderIdentity"), lease["metadata"]["resourceVersion"]
        if not holder or holder == self._holder:
            return False
        now = self._clock()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        duration = float(lease["spec"].get("leaseDurationSeconds", LEASE_SECONDS))
        return now - self._seen[1] < duration

    def _renewal(self, lease: Resource) -> Resource:
        spec, now = dict(lease["spec"]), _microtime()
        if spec.get("holderIdentity") != self._holder:
            taken_over = spec.get("leaseTransitions", 0) + 1
            spec |= {"holderIdentity": self._holder, "acquireTime": now, "leaseTransitions": taken_over}
        return {**lease, "spec": {**spec, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}}

    def _create(self, before: float) -> bool:
        now = _microtime()
        spec = {"holderIdentity": self._holder, "leaseDurationSeconds": LEASE_SECONDS, "leaseTransitions": 0}
        lease = {**LEASE.head, "metadata": {"name": self._name}}
        try:
            self._cluster.create(LEASE, {**lease, "spec": {**spec, "acquireTime": now, "renewTime": now}})
        except ResourceChanged:
            return False
        self._renewed = before
        return True


def _microtime() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
