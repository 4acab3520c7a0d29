"""The local control plane: endpoint files and traffic overrides, decided, written, applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import (
    DeployFailed,
    FieldProblem,
    InvalidDocument,
    RaygateError,
    TrafficNotApplied,
    UnknownEndpoint,
)
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.rollout import policy, serve_config
from deployments.rollout.apply import Applier
from deployments.rollout.dashboard_target import DashboardTarget
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.serve_config import Platform, Pool, ServeConfig
from deployments.runtime import document as documents
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore
from ray_apps.settings import Settings

Progress = Callable[[str], None]


def _silent(message: str) -> None:
    """Show nothing."""


class LocalControl:
    """Endpoints of the local stack; its state survives restarts in ``<state>/endpoints.db``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.store = EndpointStore(settings.state / "endpoints.db")
        self._models = ModelStore(settings.models)
        target = DashboardTarget(settings.dashboard_url, settings.metrics_url)
        self._applier = Applier(target, local_platform(settings))

    def apply(self, endpoint: Path, progress: Progress = _silent) -> None:
        """Serve what an endpoint file says; blocks until it is in force.

        Applying an unchanged file moves no traffic: an override of the weights stays. It does repair what Serve
        does not run and should. Other endpoints are left alone, whatever state they are in.

        Raises:
            InvalidDocument: The file, or a version of it is not in the model store.
            DeployFailed: A pool did not come up; the split is what it was.
            TrafficNotApplied: The stack is not up, or did not take the policies over.
        """
        document = documents.read(endpoint, ModelEndpoint)
        wanted = self.store.endpoints()
        _one_endpoint_a_model(document, wanted, str(endpoint))
        pools = pools_of(document, self._models, str(endpoint))
        before = wanted.get(document.name)
        self._applier.bring_up(pools, progress)
        if before is None or before.document != document:
            made = policy.from_document(document, self.store.last_epoch() + 1, before.policy if before else None)
            after = WantedEndpoint(document, before.generation + 1 if before else 1, made)
            wanted = {**wanted, document.name: after}
            self.store.decide(after, "apply", {"weights": _readable(after)}, datetime.now(UTC))
        self._applier.switch(pools, _gateway_config(wanted), progress)

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
        for name, endpoint in wanted.items():
            try:
                pools += pools_of(endpoint.document, self._models, name)
            except InvalidDocument as error:
                failures.append(error)
        try:
            self._applier.bring_up(pools, progress)
        except DeployFailed as error:
            failures.append(error)
            pools = self._bring_up_one_by_one(pools, progress)
        self._applier.switch(pools, _gateway_config(wanted), progress)
        if failures:
            raise failures[0]
        return True

    def set_traffic(self, name: str, weights: Mapping[Version, float], progress: Progress = _silent) -> None:
        """Override an endpoint's weights; recorded, and kept until its file changes.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
            UnknownVersion: A version is not one of the endpoint's.
            ValueError: The weights do not add up to 100.
            TrafficNotApplied: A pool that is to get traffic does not run (nothing was recorded then), or the
                gateways did not follow.
        """
        wanted = self.store.endpoints()
        if name not in wanted:
            raise UnknownEndpoint(name, tuple(wanted))
        before = wanted[name]
        made = policy.with_weights(before.policy, weights, self.store.last_epoch() + 1)
        self._applier.check_up({str(ModelVersion(made.model, version)) for version, _ in made.slots})
        after = WantedEndpoint(before.document, before.generation, made)
        self.store.decide(after, "traffic", {"weights": _readable(after)}, datetime.now(UTC))
        self._applier.switch([], _gateway_config({**wanted, name: after}), progress)

    def delete(self, name: str, progress: Progress = _silent) -> None:
        """Serve an endpoint no more: its traffic ends first, then its pools; packages and history stay.

        Raises:
            UnknownEndpoint: Nothing of that name was applied, and nothing of it runs.
            TrafficNotApplied: The stack is not up (nothing was recorded then), or the gateways did not follow;
                deleting again finishes it.
        """
        wanted = self.store.endpoints()
        if name not in wanted and name not in self._applier.served_endpoints():
            raise UnknownEndpoint(name, tuple(wanted))
        self._applier.check_up(set())
        if name in wanted:
            self.store.forget(wanted.pop(name), datetime.now(UTC))
        self._applier.switch([], _gateway_config(wanted), progress)

    def wait_ready(
        self, timeout_s: float = 60.0, progress: Progress = _silent, endpoint: str | None = None
    ) -> None:
        """Wait until the gateway says that an endpoint can answer, or that all can.

        Raises:
            TrafficNotApplied: It does not in time.
        """
        deadline = time.monotonic() + timeout_s
        url, seen = f"{self._settings.api_url}/ready", "no answer"
        while time.monotonic() < deadline:
            try:
                response = httpx.get(url, timeout=5)
                if response.status_code == 200 or endpoint in _ready_endpoints(response):
                    progress("ready")
                    return
                seen = f"{response.status_code} {response.text[:300]}"
            except httpx.HTTPError as error:
                seen = str(error)
            time.sleep(0.1)
        raise TrafficNotApplied(f"{url} is not ready after {timeout_s:g} s: {seen}")

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


def _ready_endpoints(response: httpx.Response) -> set[str]:
    if response.status_code != 503 or "application/json" not in response.headers.get("content-type", ""):
        return set()
    return {found["model_id"] for found in response.json().get("endpoints", []) if found["ready"]}


def serve_config_of(endpoint: Path, settings: Settings, platform: Platform, models: str) -> ServeConfig:
    """The Serve config of one endpoint file for another cluster.

    Args:
        endpoint: The endpoint file.
        settings: Its model store holds the packages, of which the digests are taken.
        platform: The cluster.
        models: Root of the file store as the cluster's pods see it.

    Raises:
        InvalidDocument: The file, or a version of it is not in the model store.
    """
    document = documents.read(endpoint, ModelEndpoint)
    store = ModelStore(settings.models)
    pools = [
        replace(pool, package_directory=f"{models}/{pool.name.model}/v{pool.name.version}")
        for pool in pools_of(document, store, str(endpoint))
    ]
    gateway = GatewayConfig(endpoints=(policy.from_document(document, 1),))
    return serve_config.build(platform, pools, gateway)


def local_platform(settings: Settings) -> Platform:
    """This machine, as the Serve config sees it."""
    return Platform(
        environment=settings.environment,
        host=settings.host,
        http_port=settings.http_port,
        metrics_port=settings.metrics_port,
        gateway_replicas=settings.gateway_replicas,
    )


def pools_of(document: ModelEndpoint, models: ModelStore, source: str) -> list[Pool]:
    """The pools of an endpoint's versions, each with the digest of the package in the store.

    Raises:
        InvalidDocument: The store does not hold a version; names those that it holds.
    """
    known = models.versions(document.spec.model)
    missing = tuple(
        FieldProblem(
            f"spec.versions[{position}].version",
            f"{document.spec.model} {served.version} is not in the model store {models.root}; "
            f"there: {', '.join(map(str, known)) or 'no version of it'}",
        )
        for position, served in enumerate(document.spec.versions)
        if served.version not in known
    )
    if missing:
        raise InvalidDocument(source, missing)
    pools = []
    for served in document.spec.versions:
        directory = models.find(document.spec.model, served.version)
        pools.append(
            Pool(
                name=ModelVersion(document.spec.model, served.version),
                package_directory=str(directory),
                digest=package.digest_of(directory),
                scaling=served.scaling,
                resources=served.resources,
            )
        )
    return pools


def _gateway_config(wanted: Mapping[str, WantedEndpoint]) -> GatewayConfig:
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in wanted.values()))


def _one_endpoint_a_model(document: ModelEndpoint, wanted: Mapping[str, WantedEndpoint], source: str) -> None:
    """A pool is named for its model version, so two endpoints cannot serve one model."""
    for other in wanted.values():
        if other.document.name != document.name and other.document.spec.model == document.spec.model:
            problem = f"{document.spec.model} is served by the endpoint {other.document.name} already"
            raise InvalidDocument(source, (FieldProblem("spec.model", problem),))


def _readable(wanted: WantedEndpoint) -> dict[str, float]:
    weights: dict[str, float] = {str(version): 0.0 for version in wanted.policy.versions}
    for version, slots in wanted.policy.slots:
        weights[str(version)] += slots / 100
    return weights
