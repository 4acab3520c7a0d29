"""The monitor as a Serve application: gateways hand it their figures, Prometheus reads them."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray import serve
from ray.serve import Application

from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.snapshot import GatewaySnapshot
from monitoring import intake, metrics_route
from monitoring.exporter import WindowExporter, weights_in_force
from monitoring.metrics_server import MetricsServer
from monitoring.window import Window

APPLICATION = "raygate-monitor"
ROUTE_PREFIX = "/monitor"


class MonitorArguments(BaseModel):
    """Arguments of the application; changing one restarts the replica."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metrics_port: int = Field(9090, ge=0, le=65535, description="Prometheus text at /metrics; 0 takes a free port")
    environment: str = Field("local", min_length=1, description="Value of the `environment` label of every metric")
    host: str = Field("127.0.0.1", min_length=1, description="Address that the metrics port listens on")

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


@serve.deployment(name="Monitor", num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0.1})
@serve.ingress()
class Monitor:
    """One replica adds up what all gateways count.

    Its restart loses nothing: gateways send cumulative figures. Everything here runs on the replica's event
    loop and takes microseconds; scrapes are answered from threads.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        settings = MonitorArguments.read(arguments)
        self._window = Window()
        self._registry = WindowExporter(lambda: self._window, time.monotonic, settings.environment).registry()
        self._server = MetricsServer(self._registry, settings.host, settings.metrics_port)
        self._server.start()

    async def record(self, snapshot: dict[str, Any]) -> None:
        """Take over one gateway's cumulative figures (``GatewaySnapshot.to_plain``).

        Raises:
            WireMismatch: The gateway speaks another snapshot contract.
        """
        self._window = self._window.after(intake.read(snapshot), time.monotonic())

    async def snapshot(self) -> dict[str, Any]:
        """All gateways added up, in the shape of one gateway's snapshot; weights and epochs are the live ones'."""
        now, window = time.monotonic(), self._window
        live = window.live(now)
        epochs: dict[str, int] = {}
        for heard in live:
            for endpoint, epoch in heard.snapshot.policy_epochs.items():
                epochs[endpoint] = max(epoch, epochs.get(endpoint, epoch))
        merged = GatewaySnapshot(
            gateway=",".join(heard.snapshot.gateway for heard in live),
            sequence=0,
            sent=time.time(),
            policy_epochs=epochs,
            weights=weights_in_force(live),
            versions=window.totals(),
        )
        return merged.to_plain()

    def __serve_build_asgi_app__(self) -> metrics_route.Application:
        """What answers under the route prefix."""
        return metrics_route.build(self._registry)

    def __del__(self) -> None:
        # A constructor that raised has no server.
        server = getattr(self, "_server", None)
        if server is not None:
            server.stop()


def build(args: dict[str, Any]) -> Application:
    """Serve application of the monitor; ``args`` are the fields of ``MonitorArguments``.

    Raises:
        InvalidDocument: An argument is unknown or out of range.
    """
    deployment: Any = Monitor  # the decorator's annotations hide that this is a serve.Deployment
    application: Application = deployment.bind(MonitorArguments.read(args).model_dump())
    return application
