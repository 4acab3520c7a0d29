"""The monitor as a Serve application: gateways hand it their figures, Prometheus reads them."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve
from ray.serve import Application

from deployments.access.access import Access
from deployments.access.policy import AccessPolicy
from deployments.access.roles import Permission
from deployments.batch.policy import Origin
from deployments.contracts import feedback_totals
from deployments.contracts.distributions import PackageKey
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.snapshot import GatewaySnapshot
from deployments.contracts.wire import PoolDescription
from deployments.gateway.asgi import Application as AsgiApplication
from deployments.gateway.asgi import Guard
from deployments.logs import setup as logs
from monitoring import intake, metrics_route
from monitoring.config import MonitoringConfig
from monitoring.drift.watch import DriftWatch
from monitoring.drift_exporter import DriftExporter
from monitoring.exporter import SETTLING_SECONDS, WindowExporter, weights_in_force
from monitoring.limits_exporter import LimitsExporter
from monitoring.metrics_server import MetricsServer
from monitoring.push import Push
from monitoring.quality.label_store import LabelStore
from monitoring.quality.watch import QualityWatch
from monitoring.quality_exporter import QualityExporter
from monitoring.sliding import Point
from monitoring.window import Window
from ray_apps import background_task, window_recall
from ray_apps.drift_reports import DriftReports
from ray_apps.pool_descriptions import PoolDescriptions

APPLICATION = "raygate-monitor"
ROUTE_PREFIX = "/monitor"
_log = logging.getLogger("raygate.monitor")


class MonitorArguments(BaseModel):
    """Arguments of the application; changing one restarts the replica."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metrics_port: int = Field(9090, ge=0, le=65535, description="Prometheus text at /metrics; 0 takes a free port")
    environment: str = Field("local", min_length=1, description="Value of the `environment` label of every metric")
    access: AccessPolicy = Field(description="Who may read the series on the API's port")
    host: str = Field("127.0.0.1", min_length=1, description="Address that the metrics port listens on")
    monitoring: MonitoringConfig = Field(MonitoringConfig(), description="When and from where on drift is told")
    push_gateway: Origin | None = Field(None, description="Base URL of a push gateway; None pushes nothing")
    request_log: str = Field("", description="Root of the prediction log, for labels; empty joins none")

    @classmethod
    def read(cls, args: dict[str, Any]) -> MonitorArguments:
        """Read the arguments as Serve hands them over.

        Raises:
            InvalidDocument: One is unknown or out of range.
        """
        try:
            return cls.model_validate(args)
        except ValidationError as error:
            problems = tuple(
                FieldProblem(".".join(map(str, found["loc"])), f"{found['msg']}, not {found['input']!r}")
                for found in error.errors()
            )
            raise InvalidDocument(f"arguments of {APPLICATION}", problems) from error


class Monitor:
    """One replica adds up what all gateways count.

    Its restart loses nothing that living gateways counted: they send cumulative figures, and the sliding window of
    drift is recalled from the prediction log. What runs on the replica's event loop takes microseconds; drift is
    judged, and scrapes are answered, in threads.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        logs.configure("monitor")
        settings = MonitorArguments.read(arguments)
        self._window = Window()
        self._registry = WindowExporter(
            lambda: self._window, time.monotonic, settings.environment, settling_seconds=SETTLING_SECONDS
        ).registry()
        config = settings.monitoring
        self._drift = DriftWatch(config.limits(), config.span())
        self._look_seconds = config.look_seconds
        self._recall_seconds: float | None = config.recall_seconds if settings.request_log else None
        self._log, self._span = settings.request_log, config.span()
        self._began, self._began_at = time.monotonic(), datetime.now(UTC)
        self._looking: asyncio.Task[None] | None = None
        self._recalling: asyncio.Task[list[Point]] | None = None
        self._pools = PoolDescriptions()
        self._reports = DriftReports(settings.request_log if config.alerts else "", limits=config.limits())
        self._registry.register(LimitsExporter(config, settings.environment))
        self._registry.register(DriftExporter(lambda: self._drift.judged, settings.environment))
        self._quality = QualityWatch(LabelStore(settings.request_log) if settings.request_log else None)
        self._registry.register(QualityExporter(self._quality, settings.environment))
        self._server = MetricsServer(self._registry, settings.host, settings.metrics_port)
        self._server.start()
        self._push = settings.push_gateway and Push(settings.push_gateway, self._registry, settings.environment)
        if self._push:
            self._push.start()
        self._access = Access.open(settings.access)
        # Reading keys may wait for a store; until then nobody is let in, and figures are taken all the same.
        Thread(target=self._access.start, name="access", daemon=True).start()

    async def record(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Take over one gateway's cumulative figures (``GatewaySnapshot.to_plain``).

        Returns:
            Feedback of all gateways, by model and version: a bandit in each gateway moves by the same counts
            (``contracts.feedback_totals``).

        Raises:
            WireMismatch: The gateway speaks another snapshot contract.
        """
        self._window = self._window.after(intake.read(snapshot), time.monotonic())
        if self._looking is None:  # the first call comes on the loop that the constructor did not have
            self._looking = asyncio.create_task(self._look())
        return feedback_totals.to_plain(self._window.totals().versions)

    async def _look(self) -> None:
        """Judge drift and quality again and again, in a thread beside the gateways' calls."""
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                observed = await asyncio.to_thread(self._window.observed)
                await self._pools.learn(observed.keys())
                packages = self._pools.known
                references = {key: described.reference for key, described in packages.items()}
                self._recall(packages)
                await asyncio.to_thread(self._drift.look, observed, references, time.monotonic())
                self._reports.look(self._drift.judged, packages, datetime.now(UTC))
                metadata = {key: described.metadata for key, described in packages.items()}
                await asyncio.to_thread(self._quality.look, self._drift.window, metadata, datetime.now(UTC))
            except Exception:  # figures of the past stay; the next look comes
                _log.exception("drift and quality could not be judged")

    def _recall(self, packages: dict[PackageKey, PoolDescription]) -> None:
        """Once, some time after the start: ask for what nobody listened to; take it over when it is counted."""
        if self._recall_seconds is not None and time.monotonic() - self._began >= self._recall_seconds:
            self._recall_seconds = (
                None  # one attempt: a log that cannot be read costs an hour's window, and no more
            )
            self._recalling = asyncio.create_task(self._rows_missed(packages))
        if self._recalling is not None and self._recalling.done():
            self._drift.recall(self._recalling.result())
            self._recalling = None

    async def _rows_missed(self, packages: dict[PackageKey, PoolDescription]) -> list[Point]:
        """The window before the start, out of the log; a busy node takes its time for that."""
        try:
            past = await background_task.run(
                window_recall.points, self._log, packages, self._began_at, self._began, self._span
            )
        except Exception:
            _log.exception("the window before the start could not be recalled from the prediction log")
            return []
        rows = sum(distributions.rows for distributions in past[-1].observed.values()) if past else 0
        _log.info("%s rows of the window were recalled from the prediction log", rows)
        return past

    async def snapshot(self) -> dict[str, Any]:
        """All gateways added up, in the shape of one gateway's snapshot; weights and epochs are the live ones'."""
        now, window = time.monotonic(), self._window
        live = window.live(now)
        epochs: dict[str, int] = {}
        for heard in live:
            for endpoint, epoch in heard.snapshot.policy_epochs.items():
                epochs[endpoint] = max(epoch, epochs.get(endpoint, epoch))
        totals = window.totals()
        merged = GatewaySnapshot(
            gateway=",".join(heard.snapshot.gateway for heard in live),
            sequence=0,
            sent=time.time(),
            policy_epochs=epochs,
            weights=weights_in_force(live),
            versions=totals.versions,
            figures=totals.figures,
        )
        return merged.to_plain()

    def __serve_build_asgi_app__(self) -> AsgiApplication:
        """What answers under the route prefix, on the port of the API: for callers that may."""
        return Guard(metrics_route.build(self._registry), self._access, Permission.READ_HEALTH_DETAILS)

    def __del__(self) -> None:
        # A constructor that raised has no server.
        for running in (getattr(self, "_server", None), getattr(self, "_push", None)):
            if running:
                running.stop()


MonitorDeployment: Any = serve.deployment(
    name="Monitor", num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1}
)(serve.ingress()(Monitor))


def build(args: dict[str, Any]) -> Application:
    """Serve application of the monitor; ``args`` are the fields of ``MonitorArguments``.

    Raises:
        InvalidDocument: An argument is unknown or out of range.
    """
    application: Application = MonitorDeployment.bind(MonitorArguments.read(args).model_dump())
    return application
