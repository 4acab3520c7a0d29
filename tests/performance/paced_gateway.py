"""The gateway without Ray in front of a pool that takes a fixed time a row.

``uvicorn --factory paced_gateway:build`` runs it by hand. The gateway is the one that is served, its limits are
the defaults, and only the pool is artificial: it scores rows one after another, 5 ms each, as if it were busy
computing.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from deployments.access.access import Access
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.contracts.wire import PoolReply, PoolRequest
from deployments.gateway.asgi import Application, PredictEndpoint, Send
from deployments.gateway.body import Receive, Scope
from deployments.gateway.counters import Counters
from deployments.gateway.memory_pool import MemoryPool
from deployments.gateway.pools import Pools
from deployments.gateway.scoring import Scoring
from deployments.routing.slot_table import SlotTable
from deployments.tracing import Tracing

ENDPOINT, FEATURE = "paced", "score"
SECONDS_A_ROW = 0.005
CAPACITY = 1 / SECONDS_A_ROW
"""Rows a second."""
CREDIT_SECONDS = 0.02
"""How late the event loop may wake without the pool losing capacity by it."""
_VERSION = ModelVersion("paced", Version(1, 0, 0))
_SCHEMA = FeatureSchema(features=(Feature(name=FEATURE, kind=FeatureKind.NUMBER),))


@dataclass
class PacedPool(MemoryPool):
    """Answers when a pool of one core would have: calls that come meanwhile wait for their turn."""

    free_at: float = 0.0

    async def predict(self, request: PoolRequest) -> PoolReply:
        now = time.monotonic()
        self.free_at = max(now - CREDIT_SECONDS, self.free_at) + len(request.columns) * SECONDS_A_ROW
        await asyncio.sleep(max(0.0, self.free_at - now))
        return await super().predict(request)


def build() -> Application:
    """The gateway's hot path as an ASGI application, ready to answer once its lifespan has begun."""
    counters = Counters("bench")
    scoring = Scoring(counters)
    predict = PredictEndpoint(scoring, Access.insecure_local(), Tracing())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await predict(scope, receive, send)
            return
        await receive()
        scoring.serve(await Pools(_connect, counters, time.monotonic).serve((_policy(),)))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return application


async def _connect(application: str) -> PacedPool:
    return PacedPool(ModelVersion.parse(application), _SCHEMA)


def _policy() -> TrafficPolicy:
    version = _VERSION.version
    return TrafficPolicy(
        endpoint=ENDPOINT,
        model=_VERSION.model,
        policy_epoch=1,
        stable=version,
        versions=(version,),
        slots=SlotTable.of({version: 100}).runs,
        salt="bench",
    )
