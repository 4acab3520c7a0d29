"""The serving cluster as tests see it: its workers, what Serve runs on them, and a way to lose each of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from cluster_network import ClusterNetwork
from kuberay_operator import KubeRayOperator
from kuberay_pods import GCS_PORT
from pod import Pod
from rendered_service import RenderedService
from substitutions import ENVIRONMENT
from waiting import wait_until

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import GatewayConfig, TrafficPolicy
from deployments.rollout import policy as policies
from deployments.rollout import serve_config
from deployments.rollout.serve_config import GATEWAY

SETTLED_SECONDS = 180.0


class EmulatedCluster:
    """A RayService that runs.

    Args:
        operator: Its pods.
        service: What was rendered.
    """

    def __init__(self, operator: KubeRayOperator, service: RenderedService) -> None:
        self.operator, self._service = operator, service
        self._headers = {"authorization": f"Bearer {service.ray_token}"}

    @property
    def workers(self) -> list[Pod]:
        """Workers that run, the oldest first."""
        return self.operator.workers

    @staticmethod
    def url_of(worker: Pod) -> str:
        """The API where callers enter by one worker's HAProxy."""
        return f"http://{worker.address}:8000/api/v1"

    def deploy(self, config: dict[str, Any]) -> None:
        """Ask Serve for exactly this, as KubeRay does with the text of the RayService."""
        answer = httpx.put(self._applications_url, json=config, headers=self._headers, timeout=30)
        assert answer.status_code == 200, answer.text

    def serve_details(self) -> dict[str, Any]:
        """What Serve says of itself; nothing while nobody answers."""
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(self._applications_url, headers=self._headers, timeout=5)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
        return {}

    def replicas(self, application: str) -> list[dict[str, Any]]:
        """An application's replicas that run on a worker that runs."""
        deployments = self.serve_details().get("applications", {}).get(application, {}).get("deployments", {})
        alive = {worker.address for worker in self.workers}
        return [
            replica
            for deployment in deployments.values()
            for replica in deployment["replicas"]
            if replica["state"] == "RUNNING" and replica["node_ip"] in alive
        ]

    def spread(self) -> dict[str, Counter[str]]:
        """Replicas of each application by the worker's address."""
        applications = self.serve_details().get("applications", {})
        return {name: Counter(each["node_ip"] for each in self.replicas(name)) for name in applications}

    def replica_names(self) -> set[str]:
        """All that run: a replica that is started anew has another name."""
        applications = self.serve_details().get("applications", {})
        return {replica["replica_id"] for name in applications for replica in self.replicas(name)}

    def policy(self) -> TrafficPolicy:
        """What the gateways were told last."""
        (policy,) = self._gateway_config().endpoints
        return policy

    def change_split(self, weights: Mapping[Version, float]) -> None:
        """Give the gateways other weights, as the controller does while a rollout goes on."""
        before = self._gateway_config()
        after = policies.with_weights(before.endpoints[0], weights, before.endpoints[0].policy_epoch + 1)
        told = before.model_copy(update={"endpoints": (after,)}).model_dump(mode="json", by_alias=True)
        self.deploy(serve_config.with_gateway_config(self._service.serve_config, told))
        self.await_settled()

    def _gateway_config(self) -> GatewayConfig:
        config = self.serve_details()["applications"][GATEWAY]["deployed_app_config"]
        return GatewayConfig.model_validate(config["deployments"][0]["user_config"])

    def is_settled(self) -> bool:
        """Whether everything runs as it was asked for, and every worker that is wanted takes callers."""
        details = self.serve_details()
        applications = details.get("applications", {}).values()
        return (
            bool(applications)
            and len(self.workers) == self.operator.wanted_workers
            and all(application["status"] == "RUNNING" for application in applications)
            and all(self._is_whole(application) for application in applications)
            and all(takes_callers(worker) for worker in self.workers)
        )

    def await_settled(self, timeout_s: float = SETTLED_SECONDS) -> None:
        """Wait until it is, and say what is missing if it does not become so."""
        try:
            wait_until(self.is_settled, timeout_s)
        except AssertionError as error:
            applications = self.serve_details().get("applications", {})
            told = {name: (found["status"], found["message"]) for name, found in applications.items()}
            raise AssertionError(f"{told}; {self.spread()}; {self.operator.wanted_workers} workers") from error

    def _is_whole(self, application: dict[str, Any]) -> bool:
        wanted = sum(deployment["target_num_replicas"] for deployment in application["deployments"].values())
        states = [each["state"] for one in application["deployments"].values() for each in one["replicas"]]
        return states.count("RUNNING") == wanted == len(states) == len(self.replicas(application["name"]))

    def submit(self, *command: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
        """``ray job submit`` from outside of the cluster, until the job has ended.

        Args:
            command: What the job runs.
            token: Ray's; None sends none.
        """
        own = (
            {"RAY_AUTH_MODE": "disabled"} if token is None else {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        )
        submit = [str(Path(sys.executable).with_name("ray")), "job", "submit", "--address", self._dashboard_url]
        return subprocess.run(
            [*submit, "--", *command], env={**os.environ, **own}, capture_output=True, text=True, check=False
        )

    @property
    def _dashboard_url(self) -> str:
        """Where the head is, or was."""
        return f"http://{self.operator.head_address}:8265"

    @property
    def _applications_url(self) -> str:
        return f"{self._dashboard_url}/api/serve/applications/"


def takes_callers(worker: Pod) -> bool:
    """Whether the worker's HAProxy is ready, as KubeRay's probe asks."""
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://{worker.address}:8000/-/healthz", timeout=2).status_code == 200
    return False


@contextlib.contextmanager
def running(service: RenderedService, redis: str, directory: Path) -> Iterator[EmulatedCluster]:
    """The cluster from nothing until every worker takes callers.

    Args:
        service: What is to run.
        redis: Path of the server's program.
        directory: For the output of pods.
    """
    with ClusterNetwork(directory) as network:
        store = Pod("redis", network, directory)
        options = {"port": str(GCS_PORT), "bind": "0.0.0.0", "save": "", "requirepass": service.redis_password}
        store.run(
            "redis",
            [redis, *(word for key, value in options.items() for word in (f"--{key}", value))],
            ENVIRONMENT,
        )
        try:
            with KubeRayOperator(service, network, directory) as operator:
                cluster = EmulatedCluster(operator, service)
                wait_until(cluster.serve_details, 120)
                cluster.deploy(service.serve_config)
                cluster.await_settled()
                yield cluster
        finally:
            store.delete()
