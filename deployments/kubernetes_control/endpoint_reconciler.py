"""From ModelEndpoints to what the cluster serves, one look after the other; nothing here waits for a pool.

A look at an endpoint does the next thing that is due and reports it. An endpoint whose document is wrong, or whose
pools do not come up, keeps what was accepted before and stands in nobody's way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import DeployFailed, InvalidDocument, RaygateError, TrafficNotApplied
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.kubernetes_control import admission, endpoint_resource, reports
from deployments.kubernetes_control.cluster import Resource
from deployments.kubernetes_control.conditions import Type
from deployments.kubernetes_control.errors import (
    KubernetesUnavailable,
    ResourceChanged,
    ResourceMissing,
    ServiceMissing,
)
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.rollout import capacity, policy
from deployments.rollout.apply import Applier
from deployments.rollout.approval import RiskOf
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import ApprovalRequired, CapacityComing, NotLeading, RolloutRunning
from deployments.rollout.serve_config import Pool

POOL_PATIENCE = timedelta(minutes=10)
"""For pools to come up: a node may have to be brought up first."""
RETRY_AFTER = timedelta(seconds=30)
CHECK_AGAIN_AFTER = timedelta(seconds=10)
"""What is in force is made sure of now and then: somebody may have deleted the RayService."""
_log = logging.getLogger("raygate.controller")


@dataclass(frozen=True, slots=True)
class Models:
    """What the controller reads of packages.

    Attributes:
        pools_of: Pools of a document, with the digests of their packages; InvalidDocument where one is missing.
        risk_of: Risk tiers of versions.
    """

    pools_of: Callable[[ModelEndpoint], list[Pool]]
    risk_of: RiskOf


@dataclass
class _Attempt:
    """An endpoint on its way.

    Attributes:
        generation: Of the spec that is tried.
        epoch: Of the accepted policy that was looked at last.
        since: When it was tried first.
        pools: Asked for, and not in any accepted policy yet.
        not_before: When it is looked at again: after a failure, or because nothing was to do.
    """

    generation: int
    epoch: int
    since: datetime
    pools: list[Pool] = field(default_factory=list)
    not_before: datetime | None = None


class EndpointReconciler:
    """Looks at every endpoint.

    Args:
        store: What is wanted and what was accepted.
        applier: Makes the cluster serve it.
        models: What is in the packages.
        clock: Time in UTC.
        listener_seconds: After which the listener gives up on a gateway that does not answer.
    """

    def __init__(
        self,
        store: ResourceStore,
        applier: Applier,
        models: Models,
        clock: Callable[[], datetime],
        listener_seconds: float,
    ) -> None:
        self._store, self._applier, self._models, self._clock = store, applier, models, clock
        self._listener_seconds = listener_seconds
        self._attempts: dict[str, _Attempt] = {}

    def look(self) -> None:
        """Do what is due for every endpoint; one that fails keeps no other from its turn.

        Raises:
            KubernetesUnavailable: Nothing can be read or written.
            NotLeading: Another controller may act by now.
        """
        resources = self._store.resources()
        self._attempts = {name: attempt for name, attempt in self._attempts.items() if name in resources}
        for name, resource in resources.items():
            try:
                self._attend(name, resource)
            except (ResourceChanged, ResourceMissing) as error:
                _log.info("%s; looking again", error)
            except (KubernetesUnavailable, NotLeading):
                raise
            except Exception:
                _log.exception("a look at %s failed unexpectedly", name)

    def apply(self, wanted: Mapping[str, WantedEndpoint], endpoint: str, patient: bool) -> None:
        """See controller.Traffic: the pools that others wait for stay as they are."""
        policy = wanted[endpoint].policy
        weighted = admission.weighted_pools(policy)
        pools: list[Pool] = []
        if self._store.rollouts()[endpoint].state.weight:  # the way back waits for no replica and no package
            pools = self._pools_of(wanted[endpoint].document, policy)
            with nullcontext() if patient else suppress(CapacityComing):
                self._applier.grow([pool for pool in pools if str(pool.name) in weighted])
        elif policy.sleepers:
            with suppress(RaygateError):
                pools = self._pools_of(wanted[endpoint].document, policy)
        self._applier.check_up(weighted)
        self._switch(wanted, pools, ready=endpoint)

    def release(self, wanted: WantedEndpoint) -> None:
        """See controller.Traffic."""
        self._applier.ask_for(self._pools_of(wanted.document, wanted.policy))

    def replicas(self, version: ModelVersion) -> int:
        """See controller.Traffic."""
        return self._applier.replicas(str(version))

    def _attend(self, name: str, resource: Resource) -> None:
        if endpoint_resource.is_deleted(resource):
            self._withdraw(name, resource)
            return
        attempt = self._attempt(name, resource)
        if attempt.not_before is not None and self._clock() < attempt.not_before:
            return
        attempt.not_before = None
        resource = self._store.hold(resource)
        try:
            self._advance(attempt, resource)
        except (InvalidDocument, RolloutRunning, ApprovalRequired) as error:
            self._give_up(attempt)
            self._store.report(resource, reports.refused(error))
        except DeployFailed as error:
            self._give_up(attempt)
            self._store.report(resource, reports.failed(error))
            self._take_back(name)
        except TrafficNotApplied as error:
            self._store.report(resource, reports.not_applied(error))

    def _attempt(self, name: str, resource: Resource) -> _Attempt:
        """How far the endpoint is; another spec begins anew, and a split that was overridden is looked at now."""
        generation, epoch = endpoint_resource.generation_of(resource), endpoint_resource.epoch_of(resource)
        known = self._attempts.get(name)
        if known is None or known.generation != generation:
            known = self._attempts[name] = _Attempt(generation, epoch, self._clock())
        rollout = endpoint_resource.rollout_of(resource)
        if known.epoch != epoch and not (rollout and rollout.is_moving):
            known.epoch, known.not_before = epoch, None
        return known

    def _advance(self, attempt: _Attempt, resource: Resource) -> None:
        document = endpoint_resource.document_of(resource)
        wanted = self._store.endpoints()
        before = wanted.get(document.name)
        is_new = before is None or before.document != document
        if is_new:
            rollout = self._store.rollouts().get(document.name)
            if before is not None and not (rollout and (rollout.is_active or rollout.is_moving)):
                self._follow(wanted, before.policy)
            admission.check(document, wanted, rollout, self._listener_seconds)
        made = self._policy_of(document, before) if is_new else wanted[document.name].policy
        pools = self._pools_of(document, made)
        if is_new:
            admission.check_approved(made, self._models.risk_of, self._store.history(document.name))
        if not is_new and self._is_in_force(resource, wanted, pools):
            attempt.not_before = attempt.since = self._clock() + CHECK_AGAIN_AFTER
            return
        attempt.pools = capacity.proved(pools, before.policy if before else None)
        self._applier.ask_for(attempt.pools)
        missing = self._applier.missing(attempt.pools)
        if missing:
            if self._clock() - attempt.since > POOL_PATIENCE:
                raise DeployFailed(", ".join(missing), f"not running after {POOL_PATIENCE}")
            self._store.report(resource, reports.waiting(missing))
            return
        if is_new:
            resource = self._accept(resource, document, before)
        attempt.pools, attempt.since, attempt.epoch = [], self._clock(), endpoint_resource.epoch_of(resource)
        self._switch(self._store.endpoints(), pools)
        self._store.report(resource, reports.in_force())

    def _follow(self, wanted: Mapping[str, WantedEndpoint], accepted: TrafficPolicy) -> None:
        """Put in force what was accepted, while another document is refused or its pools are on their way.

        A split that a person has overridden must not wait for them. Where pools that it needs do not run, it does.
        """
        gateway = GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))
        with suppress(TrafficNotApplied):
            self._applier.check_up(admission.weighted_pools(accepted))
            if self._applier.drift([], gateway):
                self._switch(wanted)

    def _is_in_force(self, resource: Resource, wanted: Mapping[str, WantedEndpoint], pools: list[Pool]) -> bool:
        """Whether the status says so, and Serve was asked for just this.

        A controller of other settings, or somebody by hand, may have asked for something else.
        """
        ready = endpoint_resource.condition_of(resource, Type.READY)
        generation = endpoint_resource.generation_of(resource)
        if ready.get("status") != "True" or ready["observedGeneration"] != generation:
            return False
        gateway = GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))
        return not self._applier.drift(pools, gateway)

    def _policy_of(self, document: ModelEndpoint, before: WantedEndpoint | None) -> TrafficPolicy:
        return policy.from_document(document, self._store.last_epoch() + 1, before.policy if before else None)

    def _accept(self, resource: Resource, document: ModelEndpoint, before: WantedEndpoint | None) -> Resource:
        made = self._policy_of(document, before)
        wanted = WantedEndpoint(document, endpoint_resource.generation_of(resource), made)
        return self._store.accept(resource, wanted, {"weights": policy.readable_weights(made)})

    def _switch(
        self, wanted: Mapping[str, WantedEndpoint], moved: Sequence[Pool] = (), ready: str | None = None
    ) -> None:
        """Give the gateways all policies; what nobody is sent to goes, unless an endpoint waits for pools.

        Args:
            wanted: All endpoints.
            moved: Pools of the endpoint whose policy has changed.
            ready: The endpoint, if any, whose replicas were waited for.
        """
        asked = [pool for attempt in self._attempts.values() for pool in attempt.pools]
        gateway = GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))
        self._applier.switch([*asked, *moved], gateway, _log.debug, ready)
        if not asked and self._applier.superfluous(gateway):
            self._applier.retire(gateway)

    def _pools_of(self, document: ModelEndpoint, policy: TrafficPolicy) -> list[Pool]:
        """Pools with the replicas that a policy and rollouts need."""
        held = capacity.with_capacity(self._models.pools_of(document), self._store.rollouts())
        return capacity.kept_awake(held, [policy])

    def _give_up(self, attempt: _Attempt) -> None:
        attempt.pools = []
        attempt.not_before = attempt.since = self._clock() + RETRY_AFTER

    def _take_back(self, name: str) -> None:
        """Remove pools that failed; those that were there before are what they were."""
        try:
            wanted = self._store.endpoints()
            known = wanted.get(name)
            self._switch(wanted, self._pools_of(known.document, known.policy) if known else ())
        except RaygateError as error:
            _log.warning("pools that failed were not removed: %s", error)

    def _withdraw(self, name: str, resource: Resource) -> None:
        """End the traffic of an endpoint that is to go, then its pools, then let it go."""
        self._attempts.pop(name, None)
        if not endpoint_resource.is_held(resource):
            return
        try:
            if self._applier.superfluous(GatewayConfig()):  # any pool at all
                self._switch(self._store.endpoints())
        except ServiceMissing:
            pass  # nothing serves anything
        except (TrafficNotApplied, DeployFailed) as error:
            self._store.report(resource, reports.still_served(error))
            return
        self._store.release(resource)
