import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from gateway_stack import Stack

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.gateway.memory_pool import MemoryPool

SCHEMA = FeatureSchema(
    features=(
        Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True, minimum=0, maximum=900),
        Feature(name="Age", kind=FeatureKind.NUMBER, minimum=18, maximum=68),
        Feature(name="Owner", kind=FeatureKind.BOOLEAN),
        Feature(name="Job", kind=FeatureKind.CATEGORY, nullable=True, categories=("fixed", "freelance")),
    )
)
ROW = {"Income": 0.25, "Age": 30, "Owner": True, "Job": "fixed"}


@pytest.fixture
def schema() -> FeatureSchema:
    return SCHEMA


@pytest.fixture
def row() -> dict[str, Any]:
    return dict(ROW)


@pytest.fixture
def pool() -> MemoryPool:
    return MemoryPool(ModelVersion.parse("credit_risk_v1.0.0"), SCHEMA)


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a loop of its own; a test that hangs fails."""

    def within_ten_seconds(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(asyncio.wait_for(coroutine, 10))

    return within_ten_seconds


@pytest.fixture
def play(schema, run):
    """Run a scenario on a fresh stack."""

    def go(scenario, **arguments):
        async def start():
            stack = Stack(schema, **arguments)
            await stack.start()
            return await scenario(stack)

        return run(start())

    return go
