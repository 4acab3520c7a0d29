"""The registry's champion is moved and models are reloaded while callers go on."""

import httpx
import pytest
from waiting import RETIRED_SECONDS, wait_until


@pytest.fixture
def champion(stack):
    """Moves the registry's alias; at the end everything is as the endpoint's file says."""
    import mlflow

    from training.lineage import VERSION_TAG

    client = mlflow.MlflowClient(stack.settings.mlflow_uri, stack.settings.mlflow_uri)

    def move(version):
        found = client.search_model_versions(f"name='credit_risk' and tag.`{VERSION_TAG}` = '{version}'")
        client.set_registered_model_alias("credit_risk", "champion", found[0].version)

    yield move
    move("1.0.0")
    assert reload(stack).status_code == 200
    stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))


def reload(stack, **headers):
    url = f"{stack.api_url}/api/v1/models/reload"
    return httpx.post(url, headers={**stack.headers, **headers}, timeout=120)


def reason_of_failure(stack, answer):
    """Why a reload failed, by its answer or, where that came before the end, by the reload's own address."""
    if answer.status_code == 409:
        return answer.json()["details"]
    assert answer.status_code == 202, answer.text
    address = stack.api_url + answer.headers["location"]

    def ended():
        told = httpx.get(address, headers=stack.headers, timeout=10).json()
        return told if told["status"] != "running" else None

    told = wait_until(ended, 120)
    assert told["status"] == "failed"
    return told["reason"]


def test_a_reload_under_load_fails_nobody(stack, load, champion):
    champion("1.1.0")
    with load(rate=150) as running:
        running.await_answers(200)
        answer = reload(stack)
        moved = len(running.outcomes)
        running.await_answers(300)
    assert (answer.status_code, answer.json()["status"]) == (200, "success"), answer.text
    assert answer.json()["versions"]["credit-risk"] == "1.1.0"
    assert running.failed == []
    assert {outcome.version for outcome in running.outcomes[moved + 50 :]} == {"1.1.0"}
    wait_until(lambda: "credit_risk_v1.0.0" not in stack.applications(), RETIRED_SECONDS)
    told = httpx.get(stack.api_url + answer.headers["location"], headers=stack.headers, timeout=10)
    assert told.json()["status"] == "success"


def test_a_version_that_cannot_be_served_changes_nothing_and_is_told(stack, load, champion, misbehaving):
    package = stack.settings.models / "credit_risk" / f"v{misbehaving}"
    champion(misbehaving)
    manifest = package / "model_metadata.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b"}", b" }", 1))
    try:
        with load(rate=50) as running:
            running.await_answers(50)
            reason = reason_of_failure(stack, reload(stack))
            running.await_answers(50)
    finally:
        manifest.write_bytes(whole)
    assert "credit_risk_v1.9.0" in reason
    assert running.failed == []
    assert {outcome.version for outcome in running.outcomes} == {"1.0.0"}
    wait_until(lambda: "credit_risk_v1.9.0" not in stack.applications(), RETIRED_SECONDS)
