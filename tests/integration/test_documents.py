"""Lead scoring on a running stack: two verticals share one path, each answered by its own model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import prometheus_server
import pytest
import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "lead-scoring"
LEADS = {
    "auto": {"age": 30, "vehicle_age": 3, "make": "Toyota", "occupation": "nurse", "message": "only looking"},
    "home": {"age": 50, "built": 2006, "area": 100, "construction": "brick", "owner": True},
}


@pytest.fixture(scope="module")
def leads(stack):
    """Two of the four verticals, trained and served beside the stack's own endpoint."""
    directory = stack.directory / "leads"
    generate = [sys.executable, str(EXAMPLE / "generate.py"), "--rows", "2000", "--directory", str(directory)]
    subprocess.run(generate, check=True, capture_output=True, timeout=60)
    for vertical in LEADS:
        training = yaml.safe_load((EXAMPLE / "training" / f"{vertical}.yaml").read_text())
        training["source"]["path"] = str(directory / f"{vertical}.parquet")
        file = directory / f"{vertical}.yaml"
        file.write_text(yaml.safe_dump(training))
        stack.raygate("train", str(file))
        stack.raygate("apply", "-f", str(EXAMPLE / "endpoints" / f"{vertical}.yaml"))
    yield stack
    for vertical in LEADS:
        stack.raygate("delete", f"lead-{vertical}")


def ask(stack, vertical, lead):
    body = {"vertical": vertical, "lead_data": lead}
    return httpx.post(f"{stack.api_url}/api/v1/score", json=body, headers=stack.headers, timeout=30)


@pytest.mark.parametrize("vertical", list(LEADS))
def test_a_lead_is_scored_by_the_model_of_its_vertical(leads, vertical):
    response = ask(leads, vertical, LEADS[vertical])
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["score", "confidence", "price", "market_factors", "model_version"]
    feedback = {"prediction_id": response.headers["x-prediction-id"], "label": "accepted"}
    taken = httpx.post(f"{leads.api_url}/api/v1/feedback", json=feedback, headers=leads.headers, timeout=30)
    assert taken.json()["status"] == "recorded"


def test_what_is_wrong_with_a_lead_is_told(leads):
    assert ask(leads, "boat", {}).json()["details"] == "vertical: must be one of auto, home"
    late = ask(leads, "home", {**LEADS["home"], "built": 3000})
    assert (late.status_code, late.json()["code"]) == (422, "VALIDATION_ERROR")
    assert late.json()["details"].startswith("lead_data.built: must be 20")


def test_leads_of_many_callers_are_all_answered_and_counted_by_vertical(leads, require_program, tmp_path):
    prometheus = require_program("prometheus", package="prometheus")
    rules = tmp_path / "lead-rules.yaml"
    rules.write_text((EXAMPLE / "rules.yaml").read_text().replace("interval: 15s", "interval: 1s"))
    monitor = f"127.0.0.1:{leads.settings.metrics_port}"
    with prometheus_server.scraping(prometheus, tmp_path, monitor, rules=rules) as server:
        ask(leads, "auto", LEADS["auto"])  # a rate is of what rises from then on
        server.wait_for('ml_predictions_total{model="lead_auto"}', bool)
        with ThreadPoolExecutor(16) as pool:
            responses = list(pool.map(lambda _: ask(leads, "auto", LEADS["auto"]), range(200)))
        assert {response.status_code for response in responses} == {200}
        assert len({response.json()["score"] for response in responses}) == 1
        for recorded in (
            "lead:ml_scoring_requests:rate5m",
            "lead:ml_scoring_latency_seconds:p95_5m",
            "1 + lead:acceptance:ratio_rate5m",
        ):
            server.wait_for(f'{recorded}{{vertical="auto", environment="local"}} > 0', bool)


def test_a_path_that_is_taken_is_refused_and_changes_nothing(leads, tmp_path):
    document = yaml.safe_load((EXAMPLE / "endpoints" / "home.yaml").read_text())
    document["spec"]["documents"]["route"]["value"] = "auto"
    file = tmp_path / "endpoint.yaml"
    file.write_text(yaml.safe_dump(document))
    refused = leads.raygate("apply", "-f", str(file), check=False)
    assert refused.returncode == 1
    assert "is the path of lead-auto" in refused.stderr + refused.stdout
    assert ask(leads, "home", LEADS["home"]).status_code == 200
