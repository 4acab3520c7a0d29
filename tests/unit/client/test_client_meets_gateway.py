"""The client and the gateway's own routes understand each other."""

import asyncio
import time
import uuid

import httpx
import pytest

from deployments import client as raygate
from deployments.access.access import Access
from deployments.client import AsyncClient, RetryPolicy
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import StickyBy, TrafficPolicy
from deployments.gateway import app
from deployments.gateway.asgi import DocumentEndpoint, Guard, HotPath, PredictEndpoint
from deployments.gateway.counters import Counters
from deployments.gateway.memory_pool import MemoryPool
from deployments.gateway.pools import Pools
from deployments.gateway.scoring import Scoring
from deployments.routing.slot_table import SlotTable
from deployments.tracing import Tracing

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
SCHEMA = FeatureSchema(
    features=(
        Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True),
        Feature(name="Age", kind=FeatureKind.NUMBER),
    )
)
ROW = {"Income": 0.25, "Age": 30}


@pytest.fixture
def converse():
    """Let a client talk to a gateway over two versions in memory: ``converse(lambda client: ...)``."""

    async def scenario(conversation):
        counters = Counters("gateway-1")
        scoring, access = Scoring(counters, draw=lambda: 0.0), Access.insecure_local()
        predict = PredictEndpoint(scoring, access, Tracing())
        documents = DocumentEndpoint(scoring, access, Tracing())
        gateway = HotPath(predict, documents, Guard(app.build(scoring, predict, "1.2.3"), access))
        policy = TrafficPolicy(
            endpoint="credit-risk",
            model="credit_risk",
            policy_epoch=7,
            stable=V1,
            versions=(V1, V2),
            slots=SlotTable.of({V1: 50, V2: 50}).runs,
            salt="salt",
            sticky_by=StickyBy(header="x-user-id"),
        )

        async def connect(application):
            return MemoryPool(ModelVersion.parse(application), SCHEMA)

        scoring.serve(await Pools(connect, counters, time.monotonic).serve((policy,)))
        transport = httpx.ASGITransport(gateway)
        async with AsyncClient("http://gateway", transport=transport, retries=RetryPolicy(attempts=1)) as client:
            return await conversation(client)

    return lambda conversation: asyncio.run(scenario(conversation))


def test_a_row_is_predicted_with_all_that_was_asked_for(converse):
    answer = converse(lambda client: client.predict("credit-risk", ROW, return_probabilities=True))
    assert (answer.prediction, answer.probability) == ("good", 0.75)
    assert answer.probabilities == {"good": 0.75, "bad": 0.25}
    assert uuid.UUID(answer.prediction_id).version == 7


def test_rows_are_predicted_together(converse):
    rows = [ROW, {"Age": 40, "Income": float("nan")}]
    answers = converse(lambda client: client.predict("credit-risk", rows))
    assert [answer.probability for answer in answers.predictions] == [0.75, 1.0]


def test_a_user_keeps_a_version_and_an_operator_may_ask_for_one(converse):
    async def versions(client):
        users = [f"u{number}" for number in range(20)]
        first, again = [
            [(await client.predict("credit-risk", ROW, user=u)).model_version for u in users] for _ in "12"
        ]
        pinned = await client.predict("credit-risk", ROW, model_version="1.1.0")
        return first, again, pinned.model_version

    first, again, pinned = converse(versions)
    assert first == again
    assert set(first) == {"1.0.0", "1.1.0"}
    assert pinned == "1.1.0"


def test_feedback_with_one_key_is_taken_once(converse):
    async def tell(client):
        answer = await client.predict("credit-risk", ROW)
        receipts = [await client.feedback(answer.prediction_id, "bad", idempotency_key="k") for _ in "12"]
        other = await client.feedback(answer.prediction_id, "bad")
        with pytest.raises(raygate.RequestRefused, match="CONFLICT"):
            await client.feedback(answer.prediction_id, "good", idempotency_key="k")
        return [receipt.status for receipt in (*receipts, other)]

    assert converse(tell) == ["recorded", "duplicate", "recorded"]


def test_feedback_without_a_key_counts_once_however_often_the_same_is_sent(converse):
    async def tell(client):
        answer = await client.predict("credit-risk", ROW)
        told = [("bad", None), ("bad", None), ("bad", 12.5)]
        return [(await client.feedback(answer.prediction_id, *one)).status for one in told]

    assert converse(tell) == ["recorded", "duplicate", "recorded"]


def test_what_is_wrong_with_a_row_is_told_by_name(converse):
    with pytest.raises(raygate.RequestRefused, match=r"features\.Age: is required"):
        converse(lambda client: client.predict("credit-risk", {"Income": 1}))
    with pytest.raises(raygate.NotFound, match="served: credit-risk"):
        converse(lambda client: client.predict("nobody", ROW))


def test_models_health_and_readiness_are_read(converse):
    async def look(client):
        return await client.models(), await client.health(), await client.ready()

    (model,), health, readiness = converse(look)
    assert (model.model_id, [version.weight for version in model.versions]) == ("credit-risk", [50, 50])
    assert [feature.name for feature in model.versions[0].features] == ["Income", "Age"]
    assert (health.status, health.endpoints[0].model_version) == ("healthy", "1.0.0")
    assert readiness.ready
    assert [version.ready for version in readiness.endpoints[0].versions] == [True, True]
