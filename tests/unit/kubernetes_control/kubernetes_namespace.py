"""A namespace with a Kubernetes API, a KubeRay and a Ray in it, and controller processes that act on it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import yaml
from kubernetes import client
from kubernetes_api import NAMESPACE, KubernetesApi

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.model_version import ModelVersion
from deployments.kubernetes_control.endpoint_reconciler import EndpointReconciler, Models
from deployments.kubernetes_control.endpoint_watch import EndpointWatch
from deployments.kubernetes_control.event_recorder import EventRecorder
from deployments.kubernetes_control.kubernetes_cluster import KubernetesCluster
from deployments.kubernetes_control.leadership import Leadership
from deployments.kubernetes_control.notices import Notices
from deployments.kubernetes_control.rayservice_target import RayServiceTarget
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.kubernetes_control.split_overrides import SplitOverrides
from deployments.rollout import capacity, rayservice
from deployments.rollout.apply import Applier, Patience
from deployments.rollout.controller import Controller, Surroundings
from deployments.rollout.evidence import MemoryEvidence
from deployments.rollout.notifier import Notifier
from deployments.rollout.owed_aliases import OwedAliases
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.replay_gate import MemoryReplays
from deployments.rollout.serve_config import Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.service import RolloutService

SERVICE = {
    "apiVersion": "ray.io/v1",
    "kind": "RayService",
    "metadata": {"name": "raygate"},
    "spec": {"rayClusterConfig": {"rayVersion": "2.60.0"}},
}
PACKAGED = ("1.0.0", "1.1.0", "1.2.0")


def until(condition, seconds=10.0):
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def endpoint(name="credit-risk", *, split=None, versions=PACKAGED[:2], **spec):
    """A ModelEndpoint as its owner applies it."""
    served = [{"version": version, "role": "candidate"} for version in versions]
    served[0]["role"] = "stable"
    return {
        "apiVersion": "raygate.io/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": name},
        "spec": {
            "model": name.replace("-", "_"),
            "versions": served,
            "traffic": {"split": split or {"stable": 100}},
            **spec,
        },
    }


@dataclass
class Namespace:
    """A namespace with KubeRay in it, which hands every Serve config to Ray at once.

    Attributes:
        api: Of Kubernetes.
        serve: What Ray runs.
        kuberay_works: Whether KubeRay hands configs over.
        told: Deliveries that receivers of notices got, and of which event.
        web_status: What receivers answer.
    """

    api: KubernetesApi
    serve: MemoryTarget = field(default_factory=MemoryTarget)
    kuberay_works: bool = True
    now: datetime = datetime(2026, 11, 21, 12, tzinfo=UTC)
    monotonic: float = 1000.0
    evidence: MemoryEvidence = field(default_factory=MemoryEvidence)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    told: list[tuple[str, str]] = field(default_factory=list)
    web_status: int = 200

    def __post_init__(self):
        self.api.on_write = self._on_write

    def _on_write(self, plural, resource):
        text = resource.get("spec", {}).get("serveConfigV2") if plural == "rayservices" else None
        if text and self.kuberay_works:
            config = yaml.safe_load(text)
            if not self.serve.puts or self.serve.puts[-1] != config:
                self.serve.put(config)

    def web(self, request):
        """A receiver of notices."""
        self.told.append((request.headers["x-raygate-delivery"], json.loads(request.content)["event"]))
        return httpx.Response(self.web_status)

    def create_service(self, **status):
        """What `kubectl apply -k kuberay/overlays/...` and KubeRay make."""
        self.api.apply("rayservices", SERVICE, "kubectl")
        active = {
            "rayClusterName": "raygate-abcde",
            "rayClusterStatus": {"head": {"serviceName": "raygate-abcde-head-svc"}},
        }
        self.set_status(activeServiceStatus=active, **status)

    def set_status(self, **status):
        service = self.api.get("rayservices", "raygate")
        self.api.replace("rayservices", {**service, "status": {**service.get("status", {}), **status}}, "status")

    def condition(self, name, kind):
        """Status and reason of a condition."""
        found = self.api.get("modelendpoints", name).get("status", {}).get("conditions", [])
        return next(((each["status"], each["reason"]) for each in found if each["type"] == kind), None)

    def message(self, name, kind):
        found = self.api.get("modelendpoints", name)["status"]["conditions"]
        return next(each["message"] for each in found if each["type"] == kind)

    @property
    def policies(self):
        """What the gateways were told, by endpoint."""
        told = self.serve.state().gateway_config or {}
        return {policy["endpoint"]: policy for policy in told.get("endpoints", [])}

    def weights(self, name="credit-risk"):
        """Per cent by version; one that was reweighted has several runs of slots."""
        shares = Counter()
        for version, slots in self.policies[name]["slots"]:
            shares[version] += slots / 100
        return dict(shares)

    @property
    def pools(self):
        applications = set(self.serve.state().applications)
        return {name for name in applications if not name.startswith("raygate-")}

    def events(self):
        return [(event["reason"], event["type"], event["regarding"]["name"]) for event in self.api.list("events")]

    def pass_time(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


class Operator:
    """One controller process of the namespace, looked at step by step."""

    def __init__(self, namespace, holder):
        settings = client.Configuration(host=namespace.api.url)
        settings.retries = False
        self.cluster = cluster = KubernetesCluster(client.ApiClient(settings), NAMESPACE, watch_seconds=20)
        self.namespace, self.stopping, self.changed = namespace, threading.Event(), threading.Event()
        self.watch = EndpointWatch(cluster, self.changed, retry_seconds=0.02)
        self.leadership = Leadership(cluster, "raygate-controller", holder, lambda: namespace.monotonic)
        events = EventRecorder(cluster, holder, self._now)
        self.store = ResourceStore(cluster, self.watch, self.leadership, events, self._now)
        self.target = RayServiceTarget(cluster, "raygate", self._dashboard, self.leadership.check)
        applier = Applier(
            self.target, rayservice.CLUSTER, Patience(policies=1.0), sleep=namespace.pass_time,
            clock=lambda: namespace.monotonic, waiting=lambda: capacity.waiting(self.store.rollouts()),
        )  # fmt: skip
        self.reconciler = EndpointReconciler(
            self.store, applier, Models(self._pools_of, lambda model, version: None), self._now, 12.0
        )
        self.replays = MemoryReplays()
        around = Surroundings(self.store, namespace.evidence, self.reconciler, self.replays, self._now)
        self.rollouts = Controller(holder, around)
        self.aliases = OwedAliases(holder, self.store, namespace.registry, self._now)
        self.service = RolloutService(self.store, self._now, lambda model, version: None)
        self.overrides = SplitOverrides(self.store, applier, lambda model, version: self.risk, self._now)
        self.risk = None
        self.notices = Notices(self.store, Notifier(self._receivers, httpx.MockTransport(namespace.web)).take)
        self.dashboards = []
        self._thread = threading.Thread(target=self.watch.follow, args=(self.stopping,), daemon=True)
        self._thread.start()

    def look(self, times=1):
        """Look as the process does each second."""
        for _ in range(times):
            self.catch_up()
            self.leadership.attempt()
            self.reconciler.look()
            self.rollouts.tick()
            self.aliases.look()
            self.namespace.pass_time(1)

    def catch_up(self):
        """Wait until the watch has told everything."""

        def knows():
            told = {name: each["metadata"]["resourceVersion"] for name, each in self.watch.resources().items()}
            stored = self.namespace.api.list("modelendpoints")
            return told == {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in stored}

        until(lambda: self.watch.has_listed and knows())

    def kill(self):
        """The process is gone; its lease is not let go."""
        self.stopping.set()

    def _now(self):
        return self.namespace.now

    def _receivers(self, endpoint):
        known = self.store.endpoints().get(endpoint)
        return known.document.spec.rollout.notify if known else ()

    def _dashboard(self, head):
        self.dashboards.append(head)
        return self.namespace.serve

    def _pools_of(self, document):
        pools = []
        for served in document.spec.versions:
            if str(served.version) not in PACKAGED:
                problem = FieldProblem("spec.versions", f"{served.version} is not in the model store")
                raise InvalidDocument(document.name, (problem,))
            name = ModelVersion(document.spec.model, served.version)
            pools.append(Pool(name, f"/models/{name}", "0" * 64, served.scaling, served.resources))
        return pools
