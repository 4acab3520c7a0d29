"""What KubeRay 1.7 makes of a group of a RayCluster: the command and the environment of its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rendered_service import RenderedService
from substitutions import ENVIRONMENT, START_PARAMETERS

CLUSTER_NAME = "raygate-emulated"
HEAD_SERVICE = "raygate-emulated-head-svc"
GCS_PORT = 6379
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Container:
    """One container, ready to start."""

    command: list[str]
    environment: dict[str, str]


def head(service: RenderedService, pod: str) -> Container:
    """The head's Ray container."""
    group, options = service.cluster["headGroupSpec"], service.cluster["gcsFaultToleranceOptions"]
    own = {"head": "true", "no-monitor": "true", "redis-password": service.redis_password}
    parameters = {**own, **_parameters_of(group)}
    environment = {
        **_environment(service, group, pod, "headgroup"),
        "RAY_ADDRESS": f"127.0.0.1:{GCS_PORT}",
        "RAY_REDIS_ADDRESS": options["redisAddress"],
        "REDIS_PASSWORD": service.redis_password,
        "RAY_external_storage_namespace": CLUSTER_NAME,
        "RAY_enable_autoscaler_v2": "1",
    }
    return Container(_ray_start(parameters), environment)


def worker(service: RenderedService, pod: str) -> Container:
    """A worker's Ray container."""
    group, address = service.worker_group(), f"{HEAD_SERVICE}:{GCS_PORT}"
    parameters = {"address": address, **_parameters_of(group)}
    environment = _environment(service, group, pod, group["groupName"])
    return Container(_ray_start(parameters), {**environment, "RAY_ADDRESS": address})


def autoscaler(service: RenderedService, head_pod: str, kubernetes: Mapping[str, str]) -> Container:
    """The autoscaler, a second container of the head's pod.

    Args:
        service: The RayService.
        head_pod: Name of the pod.
        kubernetes: How the API is reached.
    """
    namespace = service.document["metadata"]["namespace"]
    command = ["ray", "kuberay-autoscaler", "--cluster-name", CLUSTER_NAME, "--cluster-namespace", namespace]
    environment = {
        **ENVIRONMENT,
        **service.environment_of(service.cluster["autoscalerOptions"]),
        **_authentication(service),
        "RAY_CLUSTER_NAME": CLUSTER_NAME,
        "RAY_CLUSTER_NAMESPACE": namespace,
        "RAY_HEAD_POD_NAME": head_pod,
        "KUBERAY_CRD_VER": "v1",
        **kubernetes,
    }
    return Container([*command, "--gcs-address", f"{HEAD_SERVICE}:{GCS_PORT}"], environment)


def _parameters_of(group: Mapping[str, Any]) -> dict[str, str]:
    """KubeRay takes CPUs and memory from the limits where the manifest does not name them."""
    (container,) = group["template"]["spec"]["containers"]
    limits = container["resources"]["limits"]
    return {
        "block": "true",
        "dashboard-agent-listen-port": "52365",
        "metrics-export-port": "8080",
        "num-cpus": limits["cpu"],
        "memory": str(_bytes(limits["memory"])),
        **group["rayStartParams"],
        **START_PARAMETERS,
    }


def _ray_start(parameters: Mapping[str, str]) -> list[str]:
    flags = [f"--{name}" if value == "true" else f"--{name}={value}" for name, value in parameters.items()]
    return ["ray", "start", *flags]


def _environment(service: RenderedService, group: Mapping[str, Any], pod: str, group_name: str) -> dict[str, str]:
    (container,) = group["template"]["spec"]["containers"]
    return {
        **ENVIRONMENT,
        **service.environment_of(container),
        **_authentication(service),
        "RAY_CLUSTER_NAME": CLUSTER_NAME,
        "RAY_PORT": str(GCS_PORT),
        # By these two the autoscaler knows a node's pod and its group.
        "RAY_CLOUD_INSTANCE_ID": pod,
        "RAY_NODE_TYPE_NAME": group_name,
    }


def _authentication(service: RenderedService) -> dict[str, str]:
    return {"RAY_AUTH_MODE": service.cluster["authOptions"]["mode"], "RAY_AUTH_TOKEN": service.ray_token}


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * _UNITS[quantity[-2:]]
