"""The local control plane: endpoint files and traffic overrides, decided, written, applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import (
    DeployFailed,
    InvalidDocument,
    RaygateError,
    UnknownEndpoint,
)
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout import capacity, endpoint_difference, policy, split_override
from deployments.rollout.apply import Applier
from deployments.rollout.dashboard_target import DashboardTarget
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import EndpointChanged
from deployments.rollout.serve_config import Pool
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.runtime import document as documents
from ray_apps import waking
from ray_apps.admission import Admission
from ray_apps.local.lock import aside
from ray_apps.local.places import Places
from ray_apps.served_pools import local_platform
from ray_apps.settings import Settings

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What applying a file would change.

    Attributes:
        in_words: A sentence for each change of what is wanted.
        configs: Lines of Serve's configs, by application; also what somebody changed by hand.
        superfluous: Applications that would be removed.
    """

    in_words: tuple[str, ...]
    configs: Mapping[str, str]
    superfluous: tuple[str, ...]


def _silent(message: str) -> None:
    """Show nothing."""


def local_applier(settings: Settings) -> Applier:
    """What makes the local stack run what is wanted."""
    target = DashboardTarget(settings.dashboard_url, settings.metrics_url)
    rollouts = SqliteRolloutStore(settings.control_database)
    return Applier(
        target,
        local_platform(settings),
        waiting=lambda: capacity.waiting(rollouts.rollouts()),
        aside=lambda: aside(Places(settings.state).lock_file),
    )


class LocalControl:
    """Endpoints of the local stack; its state survives restarts in ``<state>/endpoints.db``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.store = EndpointStore(settings.control_database)
        self._admission = Admission(settings, self.store)
        self._applier = local_applier(settings)

    def apply(self, endpoint: Path, progress: Progress = _silent) -> None:
        """Serve what an endpoint file says; blocks until it is in force.

        Applying an unchanged file moves no traffic: an override of the weights stays, and so does a
        challenger that a retraining has added. It does repair what Serve does not run and should. Other endpoints
        are left alone, whatever state they are in.

        Raises:
            InvalidDocument: The file, or a version of it is not in the model store.
            DeployFailed: A pool did not come up; the split is what it was.
            RolloutRunning: The file has changed, and a rollout of the endpoint is under way.
            ApprovalRequired: A version of high risk would get requests that nobody approved.
            EndpointChanged: Somebody else changed the endpoint while the pools came up.
            TrafficNotApplied: The stack is not up, or did not take the policies over.
        """
        self.apply_document(documents.read(endpoint, ModelEndpoint), str(endpoint), progress)

    def apply_document(
        self, document: ModelEndpoint, source: str, progress: Progress = _silent, *, by_owner: bool = True
    ) -> None:
        """Serve what an endpoint document says; see ``apply``.

        One that its owner applied last changes nothing, whatever was put in its place since; one that is not its
        owner's (``by_owner``) takes the place of the document in force and leaves the owner's remembered.
        """
        first = self._admission.intend(document, source)
        self._applier.bring_up(first.pools, progress)
        intended = self._admission.intend(document, source)  # anew: others were let in while the pools came up
        if intended.is_changed:
            if intended.before != first.before:
                raise EndpointChanged(document.name)
            after = intended.after
            self.store.decide(
                after, "apply", {"weights": policy.readable_weights(after.policy)}, datetime.now(UTC)
            )
        if by_owner:  # after the decision: who is killed between the two applies again, and it is one
            self.store.keep_owners_file(document)
        self._applier.switch(intended.pools, gateway_config(intended.wanted), progress)

    def wanted(self) -> Mapping[str, WantedEndpoint]:
        """What is wanted of every endpoint, by name."""
        return self.store.endpoints()

    def difference(self, document: ModelEndpoint, source: str) -> Difference:
        """What applying a document would change; nothing is changed.

        Raises:
            RaygateError: What ``apply`` would refuse, and a stack that is not up.
        """
        intended = self._admission.intend(document, source)
        gateway = gateway_config(intended.wanted)
        return Difference(
            in_words=endpoint_difference.in_words(intended.before, intended.after),
            configs=self._applier.drift(intended.pools, gateway),
            superfluous=self._applier.superfluous(gateway),
        )

    def restore(self, progress: Progress = _silent) -> bool:
        """Serve again what was served before a restart; False if nothing ever was.

        One endpoint that cannot come up does not keep the others down.

        Raises:
            InvalidDocument: A version's package is gone; the others are served.
            DeployFailed: A pool did not come up; the others are served.
        """
        wanted = self.store.endpoints()
        if not wanted:
            return False
        pools: list[Pool] = []
        failures: list[RaygateError] = []
        for endpoint in wanted.values():
            try:
                pools += self._admission.pools(endpoint)
            except InvalidDocument as error:
                failures.append(error)
        try:
            self._applier.bring_up(pools, progress)
        except DeployFailed as error:
            failures.append(error)
            pools = self._bring_up_one_by_one(pools, progress)
        self._applier.switch(pools, gateway_config(wanted), progress)
        if failures:
            raise failures[0]
        return True

    def set_traffic(self, name: str, weights: Mapping[Version, float], progress: Progress = _silent) -> None:
        """Override an endpoint's weights; recorded, and kept until its file changes.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
            UnknownVersion: A version is not one of the endpoint's.
            RolloutRunning: A rollout moves the weights.
            ApprovalRequired: A version of high risk would get requests that nobody approved.
            ValueError: The weights do not add up to 100.
            DeployFailed: A pool that slept did not come up; the split is what it was.
            EndpointChanged: Somebody else changed the endpoint while one came up.
            TrafficNotApplied: A pool that is to get traffic does not run (nothing was recorded then), or the
                gateways did not follow.
        """
        self._set_weights(name, weights, split_override.TRAFFIC, progress)

    def switch(self, name: str, version: Version, progress: Progress = _silent) -> None:
        """Send all of an endpoint's traffic to one version: blue to green, in one step.

        Raises:
            RaygateError: See ``set_traffic``.
        """
        self._set_weights(name, {version: 100.0}, split_override.SWITCH, progress)

    def switch_back(self, name: str, progress: Progress = _silent) -> dict[Version, float]:
        """Give an endpoint the weights that it had before it was last switched.

        Returns:
            The weights.

        Raises:
            NothingToSwitchBack: It was never switched.
            RaygateError: See ``set_traffic``.
        """
        before = split_override.weights_before_switch(name, self.store.history(name))
        self._set_weights(name, before, split_override.SWITCH, progress)
        return before

    def _set_weights(self, name: str, weights: Mapping[Version, float], action: str, progress: Progress) -> None:
        before, after = self._reweighted(name, weights)
        if waking.bring_up(self._applier, self._admission, before.policy, after, progress):
            found, after = self._reweighted(name, weights)  # anew: others were let in while the pools came up
            if found != before:
                raise EndpointChanged(name)
        weighted = {str(ModelVersion(after.policy.model, version)) for version, _ in after.policy.slots}
        self._applier.check_up(weighted)
        self.store.decide(after, action, split_override.detail(before.policy, after.policy), datetime.now(UTC))
        gateway = gateway_config(self.store.endpoints())
        self._applier.switch(waking.pools(self._admission.pools, after), gateway, progress)

    def _reweighted(self, name: str, weights: Mapping[Version, float]) -> tuple[WantedEndpoint, WantedEndpoint]:
        """An endpoint as it is, and with other weights if it may have them."""
        wanted = self.store.endpoints()
        if name not in wanted:
            raise UnknownEndpoint(name, tuple(wanted))
        self._admission.check_owned(name)
        before = wanted[name]
        made = policy.with_weights(before.policy, weights, self.store.last_epoch() + 1)
        self._admission.check_approved(made)
        return before, WantedEndpoint(before.document, before.generation, made)

    def delete(self, name: str, progress: Progress = _silent) -> None:
        """Serve an endpoint no more: its traffic ends first, then its pools; packages and history stay.

        Raises:
            UnknownEndpoint: Nothing of that name was applied, and nothing of it runs.
            RolloutRunning: A rollout of it is under way.
            TrafficNotApplied: The stack is not up (nothing was recorded then), or the gateways did not follow;
                deleting again finishes it.
        """
        wanted = self.store.endpoints()
        if name not in wanted and name not in self._applier.served_endpoints():
            raise UnknownEndpoint(name, tuple(wanted))
        self._admission.check_owned(name)
        self._applier.check_up(set())
        if name in wanted:
            self.store.forget(wanted.pop(name), datetime.now(UTC))
        self._applier.switch([], gateway_config(wanted), progress)

    def _bring_up_one_by_one(self, pools: list[Pool], progress: Progress) -> list[Pool]:
        """Those of the pools that come up."""
        up = []
        for pool in pools:
            try:
                self._applier.bring_up([pool], progress)
            except DeployFailed as error:
                progress(str(error))
            else:
                up.append(pool)
        return up


def gateway_config(wanted: Mapping[str, WantedEndpoint]) -> GatewayConfig:
    """What the gateways are to be told: the policies of all endpoints."""
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))
