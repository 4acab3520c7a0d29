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

from deployments import tracing
from deployments.access import errors as refusals
from deployments.access.access import Access
from deployments.contracts import feedback_totals, joint_call
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway import accepted_policies, app, bandit_weights, http_cycle, joint_requests, own_figures
from deployments.gateway.arguments import GatewayArguments
from deployments.gateway.asgi import Application, DocumentEndpoint, Guard, HotPath, PredictEndpoint
from deployments.gateway.counters import Counters
from deployments.gateway.http_cycle import ShortWay
from deployments.gateway.pool_client import PoolClient
from deployments.gateway.pools import Pools
from deployments.gateway.request_log import RequestLog
from deployments.gateway.scoring import Scoring
from deployments.gateway.stores import open_cache_of, open_log, records_of
from deployments.logs import setup as logs
from deployments.sleeping_pools import SleepingPools

REPORT_SECONDS = 0.5
PROBE_PAUSE_SECONDS = 1.0
_REFUSALS = {
    "unauthenticated": refusals.Unauthenticated,
    "forbidden": refusals.Forbidden,
    "rate_limited": refusals.RateLimited,
    "quota_exceeded": refusals.QuotaExceeded,
    "access_unavailable": refusals.AccessUnavailable,
}
_log = logging.getLogger("raygate.gateway")


class Gateway:
    """One replica of the ingress."""

    def __init__(self, arguments: GatewayArguments) -> None:
        logs.configure("gateway")
        self._monitor_application = arguments.monitor_application
        self._config: GatewayConfig | None = None
        counters = Counters(uuid.uuid4().hex[:12])
        self._spans = tracing.configure("raygate-gateway")
        self._batch, self._control_url = arguments.batch, arguments.control_url
        self._access = Access.open(arguments.access)
        self._records = open_log(arguments, counters.gateway)
        self._cache = open_cache_of(arguments)
        self._scoring = Scoring(
            counters,
            log=RequestLog(records_of(arguments, self._records)),
            cache=self._cache,
            cached_by_default=arguments.cache_by_default,
            spend=self._access.spend,
        )
        self._pools = Pools(
            PoolClient.connect, counters, time.monotonic, self._spans, asleep=SleepingPools().names
        )
        self._tasks: list[asyncio.Task[None]] = []

    def __serve_build_asgi_app__(self) -> Application:
        """What Serve runs for HTTP."""
        predict = PredictEndpoint(self._scoring, self._access, self._spans)
        release = metadata.version("raygate")
        behind = app.build(
            self._scoring, predict, release, self._batch, self._spans, self._control_url, self._access
        )
        documents = DocumentEndpoint(self._scoring, self._access, self._spans)
        self._application = HotPath(predict, documents, Guard(behind, self._access))
        http_cycle.install(ShortWay(self._application, asyncio.get_running_loop()))
        return self._application

    async def answer_together(self, plain: dict[str, Any]) -> list[tuple[int, joint_call.Headers, bytes]]:
        """Answer requests of ``joint_call`` as if each had come over HTTP.

        Raises:
            WireMismatch: The sender speaks another contract version.
        """
        requests = joint_call.from_plain(plain)
        answers = await joint_requests.answer_together(self._application, requests)
        return [(answer.status, answer.headers, answer.body) for answer in answers]

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take over new policies: no replica restarts, no request waits.

        The old policies answer until every new pool is warm; then one assignment swaps them.
        """
        config = accepted_policies.accepted(user_config, self._config)
        if not self._tasks:
            await asyncio.to_thread(self._access.start)
        self._access.share_among(config.gateways)
        endpoints = await self._pools.serve(config.endpoints)
        self._config = config
        self._scoring.serve(endpoints)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._watch_pools()), asyncio.create_task(self._report())]

    async def _watch_pools(self) -> None:
        while True:
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
            probed = self._config
            if probed and await self._pools.probe(probed.endpoints) and probed is self._config:
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
                    self._follow(await monitor.record.remote(self._snapshot()))
            except Exception as error:  # the monitor may be away; predictions do not depend on it
                _log.debug("the monitor does not answer: %s", type(error).__name__)
                monitor = None

    def _follow(self, answer: object) -> None:
        """Move the weights of bandits by the feedback that all gateways had."""
        totals, endpoints = feedback_totals.from_plain(answer), self._scoring.endpoints
        moved = {name: bandit_weights.moved(endpoint, totals) for name, endpoint in endpoints.items()}
        if any(moved[name] is not endpoint for name, endpoint in endpoints.items()):
            self._scoring.serve(moved)

    def _snapshot(self) -> dict[str, Any]:
        return own_figures.snapshot_of(self._scoring, self._figures()).to_plain()

    def _figures(self) -> dict[str, float]:
        """What the gateway counts as a whole (``metric_names.GATEWAY_FIGURES``)."""
        refused = self._access.figures().refused
        figures: dict[str, float] = {name: refused.get(error, 0) for name, error in _REFUSALS.items()}
        figures["cache_failures"] = self._cache.figures.errors
        figures["cache_bypassed_rows"] = self._cache.figures.bypassed
        if self._records is not None:
            log = self._records.figures()
            figures["log_rows_written"] = log.written_rows
            figures["log_rows_dropped"] = log.dropped_rows + log.malformed_rows
            figures["log_write_failures"] = log.failed_writes
        return figures

    def __del__(self) -> None:
        """Serve calls it when the replica stops: what waits for the log is written."""
        records, access = getattr(self, "_records", None), getattr(self, "_access", None)
        if records is not None:
            records.close()
        if access is not None:
            access.close()


GatewayDeployment = serve.deployment(name="Gateway")(serve.ingress()(Gateway))
