"""Serving what the registry's aliases name: pools of new versions first, traffic when they are warm, the old last.

All endpoints that follow an alias move together or not at all. Doing it again changes nothing where it is done,
and finishes it where a crash came between the decision and the gateways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from deployments.contracts.errors import DeployFailed, FieldProblem, InvalidDocument, TrafficNotApplied
from deployments.contracts.model_version import CHAMPION, ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.rollout import aliases
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.registry import Registry
from deployments.rollout.serve_config import Pool

RELOAD = "reload"
"""How the history names a change to what an alias names."""


class _Alias(NamedTuple):
    model: str
    alias: str


class _Intended(NamedTuple):
    """Every endpoint as it is, those that change as they are to be, and the pools of these."""

    wanted: dict[str, WantedEndpoint]
    changed: dict[str, WantedEndpoint]
    pools: list[Pool]


class Admits(Protocol):
    """Whoever says what may be served."""

    def pools(self, wanted: WantedEndpoint) -> list[Pool]:
        """The pools of an endpoint's versions.

        Raises:
            InvalidDocument: A version has no package, or does not fit its endpoint.
        """
        ...

    def check_owned(self, name: str) -> None:
        """Make sure that no rollout owns an endpoint's weights.

        Raises:
            RolloutRunning: One does.
        """
        ...

    def owed_champion(self, name: str) -> ModelVersion | None:
        """What the alias ``champion`` is to name since an endpoint's promotion, and does not name yet."""
        ...

    def check_approved(self, made: TrafficPolicy) -> None:
        """Make sure that a policy sends nothing to a version of high risk that nobody approved.

        Raises:
            ApprovalRequired: It does.
        """
        ...


@dataclass(frozen=True)
class Reload:
    """What a reload touches the world with.

    Attributes:
        store: What is wanted.
        admission: Says what may be served.
        registry: Where the aliases are.
        applier: Makes the cluster run what is wanted.
        clock: Time in UTC.
        alone: Held while weights are decided and applied: commands put whole configs too.
    """

    store: EndpointStore
    admission: Admits
    registry: Registry
    applier: Applier
    clock: Callable[[], datetime]
    alone: Callable[[], AbstractContextManager[None]] = nullcontext

    def run(self, actor: str, progress: Callable[[str], None]) -> dict[str, str]:
        """Serve what the aliases name; blocks until it is in force.

        Args:
            actor: Who asked for it.
            progress: Told what is going on.

        Returns:
            The stable version of every endpoint, by the value that chooses it on a shared path, else by its name.

        Raises:
            RegistryUnavailable: The registry does not say; nothing was changed. Nor was it by the next four.
            InvalidDocument: A version has no package here, or does not fit its endpoint.
            RolloutRunning: A rollout owns the weights of an endpoint whose alias has moved.
            ApprovalRequired: A version of high risk was approved by nobody.
            DeployFailed: A pool did not come up.
            TrafficNotApplied: The cluster does not answer, or the gateways did not follow in time or are not
                healthy with it; reloading again finishes it.
        """
        named = self._named()  # before the lock is taken: a registry that hangs must not hold up rollbacks
        with self.alone():
            if pools := self._intended(named).pools:
                self.applier.bring_up(pools, progress)
            wanted, changed, pools = self._intended(named)  # anew: others were let in while the pools came up
            if pools:
                decided = [
                    (endpoint, _detail(wanted[name], endpoint, actor)) for name, endpoint in changed.items()
                ]
                self.store.decide_together(decided, RELOAD, self.clock())
            wanted = {**wanted, **changed}
            policies = tuple(endpoint.policy for endpoint in wanted.values())
            if policies:
                self._switch(pools, GatewayConfig(endpoints=policies), progress)
        return versions_of(wanted)

    def _switch(self, pools: list[Pool], gateway: GatewayConfig, progress: Callable[[str], None]) -> None:
        """Bring into force what was decided; whatever keeps it from that leaves it decided.

        Raises:
            TrafficNotApplied: It is not in force; reloading again finishes it.
        """
        try:
            self.applier.switch(pools, gateway, progress)
        except DeployFailed as error:  # before the decision the same error means that all is as it was
            raise TrafficNotApplied(f"decided, but not in force: {error}") from error

    def _intended(self, named: Mapping[_Alias, Version | None]) -> _Intended:
        wanted = self.store.endpoints()
        changed = self._changed(wanted, named)
        pools = [pool for endpoint in changed.values() for pool in self.admission.pools(endpoint)]
        return _Intended(wanted, changed, pools)

    def _named(self) -> dict[_Alias, Version | None]:
        """What the registry says of the aliases that endpoints follow; None where an alias names nothing."""
        endpoints = self.store.endpoints()
        owed = self._owed(endpoints)  # first: it may be paid while the registry is asked
        followed = {_followed(endpoint) for endpoint in endpoints.values()}
        named = {place: self.registry.version_named(*place) for place in followed if place is not None}
        return {**named, **owed}

    def _owed(self, wanted: Mapping[str, WantedEndpoint]) -> dict[_Alias, Version | None]:
        """What aliases are to name by promotions that the registry was not told of yet."""
        owed = [self.admission.owed_champion(name) for name in wanted]
        return {_Alias(each.model, CHAMPION): each.version for each in owed if each is not None}

    def _changed(
        self, wanted: Mapping[str, WantedEndpoint], named: Mapping[_Alias, Version | None]
    ) -> dict[str, WantedEndpoint]:
        """The endpoints whose alias names another version than their stable one, with that version.

        One that has come, or got another alias, since the registry was asked waits for the next reload.
        """
        changed: dict[str, WantedEndpoint] = {}
        epoch, named = self.store.last_epoch(), {**named, **self._owed(wanted)}
        for name, endpoint in wanted.items():
            followed = _followed(endpoint)
            if followed is None or followed not in named:
                continue
            number = named[followed]
            if number is None:
                problem = f"no version of {followed.model} has the alias {followed.alias!r} in the registry"
                raise InvalidDocument(name, (FieldProblem("spec.versions", problem),))
            if number == endpoint.policy.stable:
                continue
            self.admission.check_owned(name)
            epoch += 1
            document = aliases.renumbered(endpoint.document, number)
            policy = aliases.policy_of(document, number, epoch, endpoint.policy)
            self.admission.check_approved(policy)
            changed[name] = WantedEndpoint(document, endpoint.generation + 1, policy)
        return changed


def _followed(endpoint: WantedEndpoint) -> _Alias | None:
    alias = aliases.followed_alias(endpoint.document)
    return None if alias is None else _Alias(endpoint.document.spec.model, alias)


def versions_of(wanted: Mapping[str, WantedEndpoint]) -> dict[str, str]:
    """The stable version of every endpoint, by the value that chooses it on a shared path, else by its name."""
    versions: dict[str, str] = {}
    for name, endpoint in wanted.items():
        documents = endpoint.document.spec.documents
        chosen = documents.route.value if documents else None
        versions[name if chosen is None or chosen in versions else chosen] = str(endpoint.policy.stable)
    return versions


def _detail(before: WantedEndpoint, after: WantedEndpoint, actor: str) -> dict[str, object]:
    model = after.policy.model
    return {
        "from": str(ModelVersion(model, before.policy.stable)),
        "to": str(ModelVersion(model, after.policy.stable)),
        "actor": actor,
    }
