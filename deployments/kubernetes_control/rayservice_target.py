"""A Serve config into a RayService, which KubeRay hands to Ray: the ServeTarget of a Kubernetes cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

from deployments.contracts.errors import RaygateError, TrafficNotApplied
from deployments.kubernetes_control.cluster import RAY_SERVICE, Cluster, Resource
from deployments.kubernetes_control.errors import (
    KubernetesUnavailable,
    RequestRefused,
    ResourceChanged,
    ResourceMissing,
    ServiceMissing,
    ServiceUpgrading,
)
from deployments.rollout import rayservice
from deployments.rollout.serve_config import ServeConfig
from deployments.rollout.serve_target import ApplicationState, ServeState, ServeTarget

WRITE_ATTEMPTS = 5
"""KubeRay writes a RayService's status now and then; five reads in a row that each miss one are not by chance."""
FIELD_MANAGER = "raygate-controller"
"""Owner of ``spec.serveConfigV2`` alone. Whoever applies the manifests of Git never names that field."""


class RayServiceTarget:
    """See ServeTarget. What was asked for is the RayService's text; how that is doing, Ray's dashboard knows.

    KubeRay takes a moment to hand over a new text, and hands the same one over again after a restart. So what
    runs is not what was asked for until the dashboard says so, application by application.

    Args:
        cluster: Has the RayService.
        name: Of it.
        dashboard: A target at the dashboard of a head, by the name of the head's Service.
        check_leads: Raises NotLeading where another controller may act: the RayService has one writer.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        dashboard: Callable[[str], ServeTarget],
        check_leads: Callable[[], None] = lambda: None,
    ) -> None:
        self._cluster, self._name, self._dashboard = cluster, name, dashboard
        self._check_leads = check_leads

    def state(self) -> ServeState:
        """See ServeTarget.

        Raises:
            ServiceMissing: There is no RayService.
            ServiceUpgrading: KubeRay is about to move to another cluster.
            TrafficNotApplied: The API or the dashboard does not answer.
        """
        service = self._service()
        running = self._dashboard(_head_service(service)).state().applications
        asked = {application["name"]: application for application in _config(service).get("applications", [])}
        told = {name: _as_asked(application, running.get(name)) for name, application in asked.items()}
        return ServeState(told)

    def put(self, config: ServeConfig) -> None:
        """See ServeTarget; the same config again writes nothing."""
        applications = sorted(config["applications"], key=lambda application: str(application["name"]))
        text = rayservice.config_text({**config, "applications": applications})
        for _ in range(WRITE_ATTEMPTS):
            service = self._service()
            if service["spec"].get("serveConfigV2") == text:
                return
            _head_service(service)  # not while KubeRay moves to another cluster
            self._check_leads()
            with suppress(ResourceChanged):
                self._write(text, service["metadata"]["resourceVersion"])
                return
        raise TrafficNotApplied(
            f"the RayService {self._name} was changed meanwhile {WRITE_ATTEMPTS} times in a row"
        )

    def _write(self, text: str, resource_version: str) -> None:
        """Write over what was read, and over nothing newer: a controller that was paused here leads no more.

        Raises:
            ResourceChanged: There is something newer.
            TrafficNotApplied: The API does not take it.
        """
        metadata = {"name": self._name, "resourceVersion": resource_version}
        try:
            self._cluster.apply(
                RAY_SERVICE, {"metadata": metadata, "spec": {"serveConfigV2": text}}, FIELD_MANAGER
            )
        except (RequestRefused, KubernetesUnavailable, ResourceMissing) as error:
            raise TrafficNotApplied(
                f"the RayService {self._name} did not take the Serve config: {error}"
            ) from error

    def policy_epochs(self) -> dict[str, list[int]] | None:
        """See ServeTarget."""
        return self._dashboard(_head_service(self._service())).policy_epochs()

    def _service(self) -> Resource:
        try:
            return self._cluster.get(RAY_SERVICE, self._name)
        except ResourceMissing as error:
            reason = f"there is no RayService {self._name}: apply the manifests of kuberay/overlays"
            raise ServiceMissing(reason) from error
        except RaygateError as error:
            raise TrafficNotApplied(str(error)) from error


def _config(service: Resource) -> dict[str, Any]:
    """The Serve config that a RayService asks for.

    Raises:
        TrafficNotApplied: Somebody put something else there; taken for no config, it would end every endpoint.
    """
    text = service["spec"].get("serveConfigV2") or ""
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise TrafficNotApplied(f"spec.serveConfigV2 was changed by hand and is no YAML: {error}") from error
    if not isinstance(config, dict):
        raise TrafficNotApplied(f"spec.serveConfigV2 was changed by hand and is no Serve config: {text[:60]!r}")
    return config


def _head_service(service: Resource) -> str:
    """The Service of the head that serves, or of the first one that ever comes up.

    Raises:
        ServiceUpgrading: There are two clusters.
        TrafficNotApplied: There is none yet.
    """
    status = service.get("status", {})
    active, pending = status.get("activeServiceStatus") or {}, status.get("pendingServiceStatus") or {}
    if active.get("rayClusterName") and pending.get("rayClusterName"):
        raise ServiceUpgrading(
            f"KubeRay brings up {pending['rayClusterName']} beside {active['rayClusterName']}; "
            "endpoints and rollouts wait until it serves"
        )
    chosen = active if active.get("rayClusterName") else pending
    cluster = chosen.get("rayClusterName")
    if not cluster:
        raise TrafficNotApplied("KubeRay has made no cluster for the RayService yet")
    head: Mapping[str, str] = chosen.get("rayClusterStatus", {}).get("head", {})
    return head.get("serviceName") or f"{cluster}-head-svc"


def _as_asked(asked: dict[str, Any], running: ApplicationState | None) -> ApplicationState:
    """An application that Ray was not told of yet, or not the latest, is not up, however healthy it is."""
    if running is None:
        return ApplicationState("NOT_STARTED", False, "KubeRay has not handed it to Ray yet", asked, 0)
    if _changing_part(asked) != _changing_part(running.config):
        return ApplicationState("DEPLOYING", False, "Ray does not have its latest config", asked, running.replicas)
    return replace(running, config=asked)


def _changing_part(config: dict[str, Any]) -> list[Any]:
    """What changes in an application without a new name."""
    return [config.get("args"), *(deployment.get("user_config") for deployment in config.get("deployments", []))]
