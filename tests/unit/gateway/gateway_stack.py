"""A gateway without Ray, for the tests of this folder."""

import asyncio
import time

import httpx

from deployments.access.access import Access
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import Limits, StickyBy, TrafficPolicy
from deployments.gateway import app
from deployments.gateway.asgi import DocumentEndpoint, Guard, HotPath, PredictEndpoint
from deployments.gateway.body import BODY_SECONDS
from deployments.gateway.counters import Counters
from deployments.gateway.memory_pool import MemoryPool
from deployments.gateway.pools import Pools
from deployments.gateway.request_log import RequestLog
from deployments.gateway.scoring import Scoring
from deployments.routing.slot_table import SlotTable
from deployments.tracing import Tracing

V1, V2, V3 = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)
CANDIDATE = 0.95
"""A draw that the split sends to the version with ten per cent."""
PREDICT = "/api/v1/predict"


class Memory:
    """Keeps records in lists."""

    def __init__(self):
        self.requests, self.feedbacks, self.has_room = [], [], True

    def record(self, record):
        self.requests.append(record)

    def feedback(self, record):
        if self.has_room:
            self.feedbacks.append(record)
        return self.has_room


class Stack:
    """Three versions: ninety to ten, and one without traffic."""

    def __init__(
        self, schema, draws=(), access=None, cache=None, policy=None, body_seconds=BODY_SECONDS, **limits
    ):
        self.pools = {str(name): MemoryPool(name, schema) for name in map(self.name, (V1, V2, V3))}
        access = access or Access.insecure_local()
        self.counters, self.records = Counters("gateway-1"), Memory()
        remaining = list(draws)
        self.scoring = Scoring(
            self.counters,
            draw=lambda: remaining.pop(0) if remaining else 0.0,
            log=RequestLog(self.records),
            cache=cache,
            spend=access.spend,
        )
        predict = PredictEndpoint(self.scoring, access, Tracing(), body_seconds)
        documents = DocumentEndpoint(self.scoring, access, Tracing())
        self.asgi = HotPath(predict, documents, Guard(app.build(self.scoring, predict, "1.2.3"), access))
        self.policy = TrafficPolicy(
            endpoint="credit-risk",
            model="credit_risk",
            policy_epoch=7,
            stable=V1,
            versions=(V1, V2, *([V3] if policy else [])),
            slots=SlotTable.of({V1: 90, V2: 10}).runs,
            salt="salt",
            sticky_by=StickyBy(header="X-User-Id"),
            limits=Limits(**limits),
        ).model_copy(update=policy or {})

    @staticmethod
    def name(version):
        return ModelVersion("credit_risk", version)

    def pool(self, version):
        return self.pools[str(self.name(version))]

    def counts(self, version):
        return self.counters.of("credit_risk", str(version))

    async def start(self):
        pools = Pools(self.connect, self.counters, time.monotonic, asleep=self.asleep)
        self.scoring.serve(await pools.serve((self.policy,)))
        return pools

    async def asleep(self):
        """What Serve says of pools without a replica."""
        return frozenset(name for name, pool in self.pools.items() if pool.is_asleep)

    async def connect(self, application):
        return self.pools[application]

    async def request(self, method, path, **arguments):
        transport = httpx.ASGITransport(app=self.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, **arguments)

    async def predict(self, row, path=PREDICT, headers=None, **fields):
        """One row to the endpoint."""
        document = {"model_id": "credit-risk", "features": row, **fields}
        return await self.request("POST", path, json=document, headers=headers)


async def until(condition):
    """Wait until it holds."""
    while not condition():  # noqa: ASYNC110 - what is awaited is a copy that nobody can wait for
        await asyncio.sleep(0.001)
