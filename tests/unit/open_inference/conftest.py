import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI

from deployments.access.caller import Caller
from deployments.access.roles import Role
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import Limits, TrafficPolicy
from deployments.gateway.asgi import CALLER
from deployments.gateway.counters import Counters
from deployments.gateway.memory_pool import MemoryPool
from deployments.gateway.pools import Pools
from deployments.gateway.scoring import Scoring
from deployments.open_inference import routes
from deployments.routing.slot_table import SlotTable
from deployments.tracing import Tracing

PREDICTOR = Caller.with_role("shop", Role.PREDICTOR, "key:1")
OPERATOR = Caller.with_role("desk", Role.OPERATOR, "key:2")
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
SCHEMA = FeatureSchema(
    features=(
        Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True),
        Feature(name="Age", kind=FeatureKind.NUMBER),
        Feature(name="Owner", kind=FeatureKind.BOOLEAN),
        Feature(name="Job", kind=FeatureKind.CATEGORY, nullable=True, categories=("fixed", "freelance")),
    )
)


class ProtocolServer:
    """The protocol's routes over two versions of a model in memory, on a real port.

    ``x-role: operator`` stands for a caller that may say which version answers.
    """

    def __init__(self, spans=None, draw=0.0, **model) -> None:
        self._spans = spans or Tracing()
        self.counters = Counters("gateway-1")
        self.scoring = Scoring(self.counters, draw=lambda: draw)
        names = [ModelVersion("credit_risk", version) for version in (V1, V2)]
        self.pools = {str(name): MemoryPool(name, SCHEMA, **model) for name in names}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{self.address}"

    @contextlib.contextmanager
    def running(self) -> Iterator["ProtocolServer"]:
        app = FastAPI(lifespan=self._lifespan)
        app.include_router(routes.router(self.scoring, "1.2.3", self._spans))
        app.add_middleware(WithCaller)
        host, port = self.address.split(":")
        server = uvicorn.Server(uvicorn.Config(app, host=host, port=int(port), log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join()

    @contextlib.asynccontextmanager
    async def _lifespan(self, app):
        policy = TrafficPolicy(
            endpoint="credit-risk",
            model="credit_risk",
            policy_epoch=7,
            stable=V1,
            versions=(V1, V2),
            slots=SlotTable.of({V1: 90, V2: 10}).runs,
            salt="salt",
            limits=Limits(maxRows=100, maxBodyBytes=65536),
        )
        pools = Pools(self._connect, self.counters, time.monotonic)
        self.scoring.serve(await pools.serve((policy,)))
        yield

    async def _connect(self, application):
        return self.pools[application]


class WithCaller:
    """Says who is calling, as ``Guard`` does."""

    def __init__(self, app) -> None:
        self._app = app

    async def __call__(self, scope, receive, send) -> None:
        is_operator = (b"x-role", b"operator") in scope.get("headers", ())
        scope[CALLER] = OPERATOR if is_operator else PREDICTOR
        await self._app(scope, receive, send)


@pytest.fixture
def serve():
    """Start a server of one's own: ``with serve(classes=()) as server``."""
    return lambda **model: ProtocolServer(**model).running()


@pytest.fixture(scope="module")
def server() -> Iterator[ProtocolServer]:
    with ProtocolServer().running() as running:
        yield running
