"""A gateway before the real pool of a package with transformers, in one process and without Ray."""

import time
from pathlib import Path

import httpx

from deployments.access.access import Access
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import DocumentRoute, Documents, Shadow, TrafficPolicy
from deployments.contracts.wire import PoolDescription, PoolReply
from deployments.gateway import app
from deployments.gateway.asgi import DocumentEndpoint, Guard, HotPath, PredictEndpoint
from deployments.gateway.counters import Counters
from deployments.gateway.pools import Pools
from deployments.gateway.request_log import RequestLog
from deployments.gateway.scoring import Scoring
from deployments.routing.slot_table import SlotTable
from deployments.tracing import Tracing
from deployments.version_pool import VersionPool

PRE, POST = "stays.documents:to_features", "stays.documents:to_answer"
OFFERS = "/api/v1/offers"
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


class NearPool:
    """A pool in this process; what goes to it and comes back is as plain as on the wire."""

    def __init__(self, directory: Path, digest: str):
        self.pool, self.calls, self.is_down = VersionPool(str(directory), digest), [], False

    async def describe(self, timeout_seconds):
        return PoolDescription.from_plain(await self.pool.describe())

    async def predict(self, request):
        self.calls.append(request)
        if self.is_down:
            raise ConnectionError("down")
        return PoolReply.from_plain(await self.pool.predict(request.to_plain()))


class Records(list):
    def record(self, record):
        self.append(record)


class DocumentGateway:
    """Endpoints that share a path by the field ``view``, or one that has it alone."""

    def __init__(self, package, access=None):
        self.pools = {f"stays_v{version}": NearPool(package.directory, package.digest) for version in (V1, V2)}
        self.counters, self.records = Counters("gateway-1"), Records()
        self.scoring = Scoring(self.counters, log=RequestLog(self.records), draw=lambda: 0.0)
        access = access or Access.insecure_local()
        predict = PredictEndpoint(self.scoring, access, Tracing())
        documents = DocumentEndpoint(self.scoring, access, Tracing())
        self.asgi = HotPath(predict, documents, Guard(app.build(self.scoring, predict, "1.2.3"), access))
        self.known = Pools(self.connect, self.counters, time.monotonic)

    async def connect(self, application):
        return self.pools[application]

    async def start(self, field=None, value=None, shadow=False, candidate=False, named=True, pre=PRE, post=POST):
        route = DocumentRoute(path=OFFERS, field=field, value=value)
        documents = Documents(pre=pre, post=post, route=route)
        pair = {"transformers": documents.model_dump(mode="json", include={"pre", "post"})}
        for pool in self.pools.values():
            await pool.pool.reconfigure({"target_utilisation": 0.7, **(pair if named else {})})
        policy = TrafficPolicy(
            endpoint="stays",
            model="stays",
            policy_epoch=1,
            stable=V1,
            versions=(V1, V2) if shadow or candidate else (V1,),
            slots=SlotTable.of({V2 if candidate else V1: 100}).runs,
            salt="salt",
            shadows=(Shadow(version=V2),) if shadow else (),
            documents=documents,
        )
        self.scoring.serve(await self.known.serve((policy,)))

    async def request(self, method, path, **arguments):
        transport = httpx.ASGITransport(app=self.asgi, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, path, **arguments)

    async def ask(self, document, **arguments):
        return await self.request("POST", OFFERS, json=document, **arguments)
