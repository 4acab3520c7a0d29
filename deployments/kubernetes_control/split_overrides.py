"""Overrides of splits by hand: written into a ModelEndpoint's status, applied by the controller that leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.kubernetes_control import admission
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.rollout import policy, split_override
from deployments.rollout.apply import Applier
from deployments.rollout.approval import RiskOf
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import EndpointChanged

_ATTEMPTS = 5
"""The leader writes what it sees into the same status, so that a write is lost now and then is no news."""


class SplitOverrides:
    """What people ask of splits, on any pod. It is decided when a call returns, and in force a few seconds later.

    Args:
        store: What is wanted.
        applier: Knows which pools take traffic; nothing is applied here.
        risk_of: Risk tiers; a version of high risk is reached by an approved rollout only.
        clock: Time in UTC.
    """

    def __init__(
        self, store: ResourceStore, applier: Applier, risk_of: RiskOf, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._applier, self._risk_of, self._clock = store, applier, risk_of, clock

    def wanted(self) -> Mapping[str, WantedEndpoint]:
        """What is wanted of every endpoint, by name."""
        return self._store.endpoints()

    def set_traffic(self, name: str, weights: Mapping[Version, float]) -> None:
        """Override an endpoint's weights; kept until the spec of its ModelEndpoint changes.

        Raises:
            UnknownEndpoint: Nothing of that name was accepted.
            UnknownVersion: A version is not one of the endpoint's.
            RolloutRunning: A rollout moves the weights.
            ApprovalRequired: A version of high risk would get requests that nobody approved.
            OverrideNotPossible: A version sleeps, and would have to be waited for.
            TrafficNotApplied: A pool that is to get traffic does not run; nothing was written.
            EndpointChanged: Others change the endpoint all the time.
            ValueError: The weights do not add up to 100.
        """
        self._override(name, split_override.TRAFFIC, lambda: weights)

    def switch(self, name: str, version: Version) -> None:
        """Send all of an endpoint's traffic to one version: blue to green, in one step.

        Raises:
            RaygateError: See ``set_traffic``.
        """
        self._override(name, split_override.SWITCH, lambda: {version: 100.0})

    def switch_back(self, name: str) -> Mapping[Version, float]:
        """Give an endpoint the weights that it had before it was last switched.

        Returns:
            The weights.

        Raises:
            NothingToSwitchBack: None of the decisions that the status keeps switched it.
            RaygateError: See ``set_traffic``.
        """
        return self._override(
            name,
            split_override.SWITCH,
            lambda: split_override.weights_before_switch(name, self._store.history(name)),
        )

    def _override(
        self, name: str, action: str, weights: Callable[[], Mapping[Version, float]]
    ) -> Mapping[Version, float]:
        for _ in range(_ATTEMPTS):
            with suppress(EndpointChanged):
                before = self._known(name)
                chosen = weights()
                self._write(before, chosen, action)
                return chosen
        raise EndpointChanged(name)

    def _known(self, name: str) -> WantedEndpoint:
        endpoints = self._store.endpoints()
        if name not in endpoints:
            raise UnknownEndpoint(name, tuple(endpoints))
        admission.check_owned(name, self._store.rollouts().get(name))
        return endpoints[name]

    def _write(self, before: WantedEndpoint, weights: Mapping[Version, float], action: str) -> None:
        made = policy.with_weights(before.policy, weights, self._store.last_epoch() + 1)
        admission.check_approved(made, self._risk_of, self._store.history(made.endpoint))
        admission.check_awake(before.policy, made)
        self._applier.check_up(admission.weighted_pools(made))
        detail = split_override.detail(before.policy, made)
        decision = Decision(self._clock(), made.endpoint, action, made.policy_epoch, detail)
        self._store.override(before, replace(before, policy=made), decision)
