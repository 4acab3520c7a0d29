"""The gateway as a Serve deployment: the ingress of the whole stack."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from importlib import metadata
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway import app
from deployments.gateway.asgi import Application, HotPath, PredictEndpoint
from deployments.gateway.counters import Counters
from deployments.gateway.pool_client import PoolClient
from deployments.gateway.pools import Pools
from deployments.gateway.scoring import Scoring

REPORT_SECONDS = 0.5
PROBE_PAUSE_SECONDS = 2.0
_log = logging.getLogger("raygate.gateway")


class Gateway:
    """One replica of the ingress.

    Args:
        monitor_application: Serve application of the monitor, or empty: then nothing is reported.
    """

    def __init__(self, monitor_application: str = "") -> None:
        self._monitor_application = monitor_application
        self._config = GatewayConfig()
        counters = Counters(uuid.uuid4().hex[:12])
        self._scoring = Scoring(counters)
        self._pools = Pools(PoolClient.connect, counters, time.monotonic)
        self._tasks: list[asyncio.Task[None]] = []

    def __serve_build_asgi_app__(self) -> Application:
        """What Serve runs for HTTP."""
        predict = PredictEndpoint(self._scoring)
        return HotPath(predict, app.build(self._scoring, predict, metadata.version("raygate")))

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take over new policies: no replica restarts, no request waits.

        The old policies answer until every new pool is warm; then one assignment swaps them.
        """
        config = GatewayConfig.model_validate(user_config)
        endpoints = await self._pools.serve(config.endpoints)
        self._config = config
        self._scoring.serve(endpoints)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch_pools()), asyncio.create_task(self._report())]

    async def _watch_pools(self) -> None:
        while True:
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
            probed = self._config
            if await self._pools.probe(probed.endpoints) and probed is self._config:
                self._scoring.serve(self._pools.endpoints(probed.endpoints))

    async def _report(self) -> None:
        """Send the cumulative figures again and again; one that is lost is made good by the next."""
        monitor: DeploymentHandle[Any] | None = None
        while self._monitor_application:
            await asyncio.sleep(REPORT_SECONDS)
            try:
                if monitor is None:
                    monitor = await asyncio.to_thread(serve.get_app_handle, self._monitor_application)
                async with asyncio.timeout(5 * REPORT_SECONDS):
                    await monitor.record.remote(self._snapshot())
            except Exception as error:  # the monitor may be away; predictions do not depend on it
                _log.debug("the monitor does not answer: %s", type(error).__name__)
                monitor = None

    def _snapshot(self) -> dict[str, Any]:
        endpoints = self._scoring.endpoints
        snapshot = self._scoring.counters.snapshot(
            time.time(),
            {name: endpoint.policy.policy_epoch for name, endpoint in endpoints.items()},
            {
                name: {
                    str(version): endpoint.table.shares.get(version, 0.0) for version in endpoint.policy.versions
                }
                for name, endpoint in endpoints.items()
            },
        )
        return snapshot.to_plain()


GatewayDeployment = serve.deployment(name="Gateway")(serve.ingress()(Gateway))
