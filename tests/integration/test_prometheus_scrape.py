"""A real Prometheus scrapes the running stack."""

import httpx
import prometheus_server
import pytest


@pytest.fixture(scope="module")
def prometheus(stack, require_program, tmp_path_factory):
    program = require_program("prometheus", package="prometheus")
    target = f"127.0.0.1:{stack.settings.metrics_port}"
    with prometheus_server.scraping(program, tmp_path_factory.mktemp("prometheus"), target) as server:
        yield server


def total(samples):
    return sum(value for _, value in samples)


def test_requests_of_the_split_arrive_in_prometheus(stack, prometheus):
    counted = 'ml_scoring_requests_total{model="credit_risk"}'
    before = total(prometheus.wait_for(counted, lambda samples: samples != []))
    with httpx.Client(base_url=stack.api_url, headers=stack.headers) as client:
        for _ in range(50):
            client.post("/api/v1/predict", json={"model_id": "credit-risk", "features": {"no such feature": 1}})
    prometheus.wait_for(counted, lambda samples: total(samples) >= before + 50)
    refused = 'sum(ml_scoring_errors_total{model="credit_risk",code="VALIDATION_ERROR"})'
    assert prometheus.wait_for(refused, lambda samples: total(samples) >= 50)


def test_prometheus_knows_the_split_and_the_gateways(stack, prometheus):
    weights = prometheus.wait_for('ml_traffic_weight_ratio{endpoint="credit-risk"}', lambda samples: samples != [])
    assert total(weights) == pytest.approx(1.0)
    environments = {labels["environment"] for labels, _ in weights}
    assert environments == {stack.settings.environment}
    assert total(prometheus.query("raygate_gateways")) >= 1


def test_the_same_text_is_behind_the_port_of_the_api(stack):
    answer = httpx.get(f"{stack.api_url}/monitor/metrics", headers=stack.headers)
    assert answer.status_code == 200
    assert "ml_scoring_latency_seconds_bucket" in answer.text
