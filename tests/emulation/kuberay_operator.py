"""The part of KubeRay's operator that keeps pods: as many as the RayCluster wants, new for ended ones."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kuberay_pods
from cluster_network import NOBODY, OWN_ADDRESS, ClusterNetwork
from pod import Pod
from ray_cluster_api import RayClusterApi
from rendered_service import RenderedService

RECONCILE_SECONDS = 0.2
HEAD, WORKER = "head", "worker"


class KubeRayOperator:
    """Head and workers of one RayCluster.

    With the autoscaler's second version pods are never restarted in place: one that ended is deleted, and another
    with a new name and a new address takes its place.

    Args:
        service: What is to run.
        network: Where pods get their addresses.
        directory: For their output.
    """

    def __init__(self, service: RenderedService, network: ClusterNetwork, directory: Path) -> None:
        self._service, self._network, self._directory = service, network, directory
        self._pods: dict[str, Pod] = {}
        self._numbers = {HEAD: 0, WORKER: 0}
        self._wants_head, self._head_address = True, NOBODY
        self._stopping = threading.Event()
        document = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": {
                "name": kuberay_pods.CLUSTER_NAME,
                "namespace": service.document["metadata"]["namespace"],
                "resourceVersion": "1",
            },
            "spec": service.cluster,
        }
        self.api = RayClusterApi(document, self._listed, OWN_ADDRESS, directory)

    def __enter__(self) -> KubeRayOperator:
        self.api.__enter__()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()
        for pod in self._pods.values():
            pod.delete()
        self.api.__exit__(*error)

    @property
    def workers(self) -> list[Pod]:
        """Workers that run, the oldest first."""
        return self._running(WORKER)

    @property
    def head_address(self) -> str:
        """Where the head is, or was last; that of nobody before there was one."""
        return self._head_address

    @property
    def wanted_workers(self) -> int:
        """What the RayCluster says."""
        wanted: int = self._group["replicas"]
        return wanted

    @contextlib.contextmanager
    def without_a_head(self) -> Iterator[None]:
        """Kill the head, and make none in its place before the block ends."""
        self._wants_head = False
        for pod in self._running(HEAD):
            pod.kill()
        try:
            yield
        finally:
            self._wants_head = True

    @property
    def _group(self) -> dict[str, Any]:
        (group,) = self.api.document["spec"]["workerGroupSpecs"]
        found: dict[str, Any] = group
        return found

    def _running(self, kind: str) -> list[Pod]:
        return [pod for name, pod in list(self._pods.items()) if _kind_of(name) == kind and pod.is_running]

    def _run(self) -> None:
        while not self._stopping.wait(RECONCILE_SECONDS):
            with self.api.lock:
                unwanted = set(self._group.get("scaleStrategy", {}).get("workersToDelete", ()))
                for name, pod in list(self._pods.items()):
                    if name in unwanted or not pod.is_running:
                        del self._pods[name]
                        pod.delete()
                if self._wants_head and not self._running(HEAD):
                    self._start_head()
                for _ in range(self.wanted_workers - len(self.workers)):
                    self._start_worker()

    def _start_head(self) -> None:
        pod = self._new_pod(HEAD)
        self._head_address = pod.address
        self._network.name(kuberay_pods.HEAD_SERVICE, pod.address)
        ray = kuberay_pods.head(self._service, pod.name)
        pod.run("ray", ray.command, ray.environment)
        autoscaler = kuberay_pods.autoscaler(self._service, pod.name, self.api.environment)
        pod.run("autoscaler", autoscaler.command, autoscaler.environment)
        self._pods[pod.name] = pod

    def _start_worker(self) -> None:
        pod = self._new_pod(WORKER)
        ray = kuberay_pods.worker(self._service, pod.name)
        pod.run("ray", ray.command, ray.environment)
        self._pods[pod.name] = pod

    def _new_pod(self, kind: str) -> Pod:
        self._numbers[kind] += 1
        return Pod(f"{kind}-{self._numbers[kind]}", self._network, self._directory)

    def _listed(self) -> list[dict[str, Any]]:
        return [self._resource_of(pod) for pod in list(self._pods.values())]

    def _resource_of(self, pod: Pod) -> dict[str, Any]:
        kind = _kind_of(pod.name)
        state = {"running": {}} if pod.is_running else {"terminated": {"exitCode": 137}}
        labels = {
            "ray.io/cluster": kuberay_pods.CLUSTER_NAME,
            "ray.io/node-type": kind,
            "ray.io/group": "headgroup" if kind == HEAD else self._group["groupName"],
        }
        return {
            "kind": "Pod",
            "metadata": {"name": pod.name, "labels": labels, "resourceVersion": "1"},
            "spec": {"containers": []},
            "status": {"podIP": pod.address, "containerStatuses": [{"state": state}]},
        }


def _kind_of(name: str) -> str:
    return name.partition("-")[0]
