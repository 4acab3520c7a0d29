"""The controller on Kubernetes as a process: ``python -m ray_apps.kubernetes_controller``.

It holds no state that a crash would lose: what was decided is in the status of each ModelEndpoint.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import httpx

from deployments.access.access import Access
from deployments.access.background import Repeating
from deployments.access.policy import AccessPolicy
from deployments.contracts.errors import RaygateError
from deployments.contracts.notification import Notification
from deployments.kubernetes_control.cluster import Cluster
from deployments.kubernetes_control.decision_outbox import DecisionOutbox
from deployments.kubernetes_control.endpoint_reconciler import EndpointReconciler, Models
from deployments.kubernetes_control.endpoint_watch import EndpointWatch
from deployments.kubernetes_control.event_recorder import EventRecorder
from deployments.kubernetes_control.leadership import Leadership
from deployments.kubernetes_control.notices import Notices
from deployments.kubernetes_control.rayservice_target import RayServiceTarget
from deployments.kubernetes_control.resource_store import ResourceStore
from deployments.kubernetes_control.rollback_records import RollbackRecords
from deployments.kubernetes_control.split_overrides import SplitOverrides
from deployments.logs import setup as logs
from deployments.rollout import capacity, gateway_figures, rayservice
from deployments.rollout.apply import Applier
from deployments.rollout.controller import Controller, Surroundings
from deployments.rollout.dashboard_target import DashboardTarget, bearer
from deployments.rollout.decision_audit import DecisionAudit
from deployments.rollout.gateway_figures import GatewayFigures
from deployments.rollout.kept_records import KeptRecords
from deployments.rollout.monitor_figures import MonitorFigures
from deployments.rollout.notifier import Notifier
from deployments.rollout.owed_aliases import OwedAliases
from deployments.rollout.prometheus_figures import PrometheusFigures
from deployments.rollout.prometheus_queries import PrometheusQueries
from deployments.rollout.serve_config import GATEWAY, Platform
from deployments.rollout.serve_target import ServeTarget
from deployments.rollout.service import RolloutService
from deployments.runtime import document as documents
from deployments.runtime.model_store import ModelStore
from ray_apps import gateway_arguments, served_pools
from ray_apps.champion_alias import MlflowRegistry
from ray_apps.kubernetes_settings import KubernetesSettings
from ray_apps.rayjob_replays import RayJobReplays
from ray_apps.risk_tiers import risk_tiers
from ray_apps.rollout_evidence import MeasuredEvidence

TICK_SECONDS = 1.0
CHAMPION_SECONDS = 1.0
NOTICE_SECONDS = 1.0
RECORDS_SECONDS = 30.0
AUDIT_SECONDS = 5.0
_log = logging.getLogger("raygate.controller")


@dataclass(frozen=True)
class KubernetesController:
    """The parts of one controller, put together.

    Attributes:
        watch: Keeps the ModelEndpoints known.
        leadership: Whether this process acts.
        reconciler: Makes the cluster serve what they say.
        rollouts: Moves their rollouts.
        service: What people ask of rollouts.
        overrides: What people ask of splits.
        audit: Carries decisions to the audit's database, whoever leads.
        champions: Moves the registry's alias; a registry that hangs holds up nothing but that.
        notices: Tells those whom plans name; a receiver that hangs holds up nothing but that.
        records: Keeps the records of rollbacks aside.
        changed: Set when there may be something to do.
    """

    watch: EndpointWatch
    leadership: Leadership
    reconciler: EndpointReconciler
    rollouts: Controller
    service: RolloutService
    overrides: SplitOverrides
    audit: Repeating
    champions: Repeating
    notices: Repeating
    records: Repeating
    changed: threading.Event

    def run(self, stopping: threading.Event) -> None:
        """Look again and again until it is to stop; what goes wrong once is tried again."""
        done = threading.Event()  # whoever lets go of the lease earlier acts beside the next controller
        threads = [
            threading.Thread(target=self.watch.follow, args=(stopping,), name="watch", daemon=True),
            threading.Thread(
                target=self.leadership.keep, args=(done, self.changed), name="leadership", daemon=True
            ),
        ]
        for thread in threads:
            thread.start()
        beside = (self.audit, self.champions, self.notices, self.records)
        for repeating in beside:
            repeating.start()
        while not stopping.is_set():
            self.changed.clear()
            self.look()
            self.changed.wait(TICK_SECONDS)
        for repeating in beside[1:]:
            repeating.close()
        done.set()
        threads[1].join(timeout=10)  # the lease is let go; the watch ends with the process
        self.audit.close()
        self.audit.attempt()

    def look(self) -> None:
        """Do what is due, if this controller leads and knows what there is; never raises."""
        if not (self.leadership.is_held and self.watch.has_listed):
            return
        try:
            self.reconciler.look()
            self.rollouts.tick()
        except RaygateError as error:
            _log.warning("%s", error)
        except Exception:
            _log.exception("a look at the endpoints failed unexpectedly")


def build(settings: KubernetesSettings, cluster: Cluster) -> KubernetesController:
    """A controller of one namespace.

    Args:
        settings: Of its pod.
        cluster: The API of that namespace.
    """
    changed = threading.Event()
    watch = EndpointWatch(cluster, changed)
    leadership = Leadership(cluster, "raygate-controller", settings.pod)
    events = EventRecorder(cluster, settings.pod, _now)
    outbox = DecisionOutbox(
        DecisionAudit(settings.decision_store or settings.key_store, settings.environment),
        lambda: watch.resources().values(),
    )
    store = ResourceStore(cluster, watch, leadership, events, _now, outbox.add)
    target = RayServiceTarget(
        cluster, settings.ray_service, lambda head: _dashboard(settings, head), leadership.check
    )
    models = ModelStore(settings.models, settings.signers)
    applier = Applier(target, platform(settings), waiting=lambda: capacity.waiting(store.rollouts()))
    reconciler = EndpointReconciler(
        store,
        applier,
        Models(lambda document: served_pools.pools_of(document, models, document.name), risk_tiers(settings)),
        _now,
        settings.listener_seconds,
    )
    surroundings = Surroundings(
        store=store,
        evidence=evidence(settings, target),
        traffic=reconciler,
        replays=RayJobReplays(cluster, settings),
        clock=_now,
    )
    rollouts = Controller(settings.pod, surroundings)
    aliases = OwedAliases(settings.pod, store, MlflowRegistry(settings.mlflow_uri), _now)
    return KubernetesController(
        watch,
        leadership,
        reconciler,
        rollouts,
        RolloutService(store, _now, risk_tiers(settings)),
        SplitOverrides(store, applier, risk_tiers(settings), _now),
        Repeating("the audit of decisions", outbox.look, AUDIT_SECONDS),
        Repeating("the registry's alias", aliases.look, CHAMPION_SECONDS),
        Repeating("notices of decisions", notices(store).look, NOTICE_SECONDS),
        Repeating("the records of rollbacks", records(settings, store).look, RECORDS_SECONDS),
        changed,
    )


def notices(store: ResourceStore) -> Notices:
    """Whoever tells those whom the plans of a store's endpoints name."""

    def receivers(endpoint: str) -> tuple[Notification, ...]:
        known = store.endpoints().get(endpoint)
        return known.document.spec.rollout.notify if known else ()

    return Notices(store, Notifier(receivers).take)


def records(settings: KubernetesSettings, store: ResourceStore) -> RollbackRecords:
    """Whoever keeps the records of a store's rollbacks aside; without a log there are none."""
    kept = KeptRecords(settings.prediction_log, _now)
    return RollbackRecords(store, kept.take if settings.prediction_log else lambda number, decision: True)


def evidence(settings: KubernetesSettings, target: ServeTarget) -> MeasuredEvidence:
    """What rollouts are judged by: the monitor through the API, or the gateways where that is silent."""
    credential = bearer(settings.api_key)

    def figures(url: str) -> str:
        return httpx.get(url, headers=credential, timeout=5).raise_for_status().text

    def running_gateways() -> int:
        gateway = target.state().applications.get(GATEWAY)
        return gateway.replicas if gateway else 0

    counted = (
        PrometheusFigures(settings.evidence_url, settings.environment)
        if settings.evidence_url
        else MonitorFigures(settings.monitor, figures)
    )
    gateways = GatewayFigures(gateway_figures.asker(settings.serving_url, lambda: credential), running_gateways)
    queries = PrometheusQueries(settings.query_url, settings.environment)
    return MeasuredEvidence(counted, gateways, settings.prediction_log, queries)


def platform(settings: KubernetesSettings) -> Platform:
    """The cluster, as the Serve config sees it.

    Raises:
        InvalidDocument: The access policy's file does not say what it must.
    """
    told = {
        "request_log": settings.log_uri or "",
        "access": access_policy(settings),
        **gateway_arguments.told_anywhere(settings),
    }
    gateway = rayservice.CLUSTER.gateway.model_copy(update=told)
    return replace(
        rayservice.CLUSTER,
        environment=settings.environment,
        gateway=gateway,
        gateway_replicas=settings.gateway_replicas,
        push_gateway=settings.push_gateway,
        monitoring=gateway_arguments.monitoring(settings),
    )


def access_policy(settings: KubernetesSettings) -> AccessPolicy:
    """Who may do what, for gateways and the admin API alike; without a file those with an API key.

    Raises:
        InvalidDocument: The file does not say what it must.
    """
    file = settings.access_policy
    return rayservice.CLUSTER.gateway.access if file is None else documents.read(file, AccessPolicy)


def main() -> None:
    """Run until SIGTERM."""
    import uvicorn

    from deployments.kubernetes_control import kubernetes_cluster
    from ray_apps import admin_api

    settings = KubernetesSettings()
    logs.configure("controller", settings.log_level)
    connection = kubernetes_cluster.connect(settings.kubeconfig)
    access = Access.open(access_policy(settings))
    cluster = kubernetes_cluster.KubernetesCluster(connection, settings.namespace)
    controller = build(settings, cluster)
    stopping = threading.Event()
    runner = threading.Thread(target=controller.run, args=(stopping,), name="controller", daemon=True)
    runner.start()
    # uvicorn ends at SIGTERM and SIGINT.
    uvicorn.run(
        admin_api.guarded(
            controller.service,
            None,
            access,
            environment=settings.environment,
            overrides=controller.overrides,
        ),
        host=settings.control_host,
        port=settings.control_port,
        log_level="warning",
        access_log=False,
    )
    stopping.set()
    controller.changed.set()
    runner.join(timeout=40)


def _dashboard(settings: KubernetesSettings, head: str) -> DashboardTarget:
    return DashboardTarget(
        settings.dashboard_of(head), settings.monitor, ray_token=settings.ray_token, api_key=settings.api_key
    )


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
