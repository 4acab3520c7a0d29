"""Keeps what Serve was asked to run at what was decided, and removes what nobody needs any more.

Whoever changed Serve by hand, or a command that died between its decision and its last step: both are noticed,
said in the history, and repaired. Nothing is done while a rollout's own weights are on their way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.contracts.errors import RaygateError
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.serve_config import Pool

REPAIRED = "drift repaired"
"""How the history names a repair."""
_log = logging.getLogger("raygate.controller")


@dataclass(frozen=True)
class Domain:
    """What a reconciler looks after.

    Attributes:
        store: What is wanted.
        applier: Of the cluster.
        pools: Pools that the endpoints are to have, as far as they can be told.
        is_moving: Whether weights are on their way at this moment.
        clock: Time in UTC.
        alone: Held while something is repaired.
        grace: For how long a pool stays that nobody is sent to any more.
        is_awaited: Whether somebody waits for pools that are not yet what was decided.
    """

    store: EndpointStore
    applier: Applier
    pools: Callable[[Mapping[str, WantedEndpoint]], list[Pool]]
    is_moving: Callable[[], bool]
    clock: Callable[[], datetime]
    alone: Callable[[], AbstractContextManager[None]]
    grace: timedelta
    is_awaited: Callable[[], bool]


class Reconciler:
    """Looks again and again; whoever calls sees to it that there is one only."""

    def __init__(self, domain: Domain) -> None:
        self._of = domain
        self._tried: dict[str, str] = {}

    def look(self) -> None:
        """Compare, and repair what differs.

        Raises:
            RaygateError: Serve cannot be asked, or does not follow; the next look tries again.
        """
        if not self._of.store.endpoints() or self._of.is_moving():
            return
        if self._of.is_awaited():
            return
        if self._drift():
            with self._of.alone():  # and see whether it was a command at work
                if not self._of.is_awaited():
                    self._repair()
        elif self._are_superfluous():
            with self._of.alone():
                if self._are_superfluous() and not self._of.is_awaited():
                    self._retire()

    def _repair(self) -> None:
        found = self._drift()
        if not found or found == self._tried or self._of.is_moving():
            return  # what a repair did not change Serve sees differently: doing it again would not help
        endpoints = self._of.store.endpoints()
        pools = self._of.pools(endpoints)
        for name, endpoint in endpoints.items():
            own = {application: lines for application, lines in found.items() if _belongs(application, endpoint)}
            if own:
                _log.warning("%s: Serve was asked for something else: %s", name, ", ".join(own))
                reason = f"Serve was asked for something else than was decided: {', '.join(own)}"
                detail: dict[str, object] = {"reason": reason, "actor": "controller", "differences": own}
                self._of.store.note(name, REPAIRED, endpoint.policy.policy_epoch, detail, self._of.clock())
        try:
            # In one step: what is missing is missing already, and nobody must wait for the lock while it comes up.
            self._of.applier.switch(pools, _gateway(endpoints), _log.debug)
        finally:
            self._tried = self._left()

    def _left(self) -> dict[str, str]:
        try:
            return self._drift()
        except RaygateError:
            return {}

    def _drift(self) -> dict[str, str]:
        endpoints = self._of.store.endpoints()
        return self._of.applier.drift(self._of.pools(endpoints), _gateway(endpoints))

    def _are_superfluous(self) -> bool:
        decided = self._of.store.last_decided()
        if decided is None or self._of.clock() - decided < self._of.grace:
            return False
        return bool(self._of.applier.superfluous(_gateway(self._of.store.endpoints())))

    def _retire(self) -> None:
        gateway = _gateway(self._of.store.endpoints())
        _log.info("removing %s: no policy names it", ", ".join(self._of.applier.superfluous(gateway)))
        self._of.applier.retire(gateway)


def _gateway(endpoints: Mapping[str, WantedEndpoint]) -> GatewayConfig:
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in endpoints.values()))


def _belongs(application: str, endpoint: WantedEndpoint) -> bool:
    """Whether an application is a pool of the endpoint; what is no pool is everybody's."""
    model, _, _ = application.rpartition("_v")
    return not model or model == endpoint.policy.model
