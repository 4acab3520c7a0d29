import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge

from monitoring import metrics_route


@pytest.fixture
def ask():
    registry = CollectorRegistry()
    Gauge("raygate_gateways", "Gateways", registry=registry).set(2)

    def request(method, path, **headers):
        async def send():
            transport = httpx.ASGITransport(metrics_route.build(registry))
            async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(send())

    return request


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_route_answers_the_same_text_as_the_port(ask, encoding):
    answer = ask("GET", "/monitor/metrics", **{"Accept-Encoding": encoding})
    assert answer.status_code == 200
    assert "raygate_gateways 2.0" in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [pytest.param("GET", "/monitor/other", id="path"), pytest.param("POST", "/monitor/metrics", id="method")],
)
def test_everything_else_is_not_found(ask, method, path):
    assert ask(method, path).status_code == 404
