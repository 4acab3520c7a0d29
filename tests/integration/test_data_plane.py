"""What a company's callers meet, on a running stack: who they are, where they go, what is remembered of it."""

import subprocess
import time

import httpx
import numpy as np
import pytest
import tritonclient.http
from waiting import wait_until

from deployments.client import Client
from deployments.prediction_log import reader


@pytest.fixture
def client(stack):
    with Client(stack.api_url, api_key=stack.settings.key_file.read_text().strip()) as connected:
        yield connected


@pytest.fixture
def metrics(stack):
    def value(name, **labels):
        wanted = [f'{label}="{text}"' for label, text in labels.items()]
        lines = httpx.get(stack.settings.metrics_url, timeout=10).text.splitlines()
        found = [line for line in lines if line.startswith(name + "{") and all(label in line for label in wanted)]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    return value


class TestCallers:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            pytest.param("POST", "/api/v1/predict", 401, id="predict"),
            pytest.param("POST", "/predict", 401, id="champion"),
            pytest.param("POST", "/api/v1/feedback", 401, id="feedback"),
            pytest.param("GET", "/api/v1/models", 401, id="models"),
            pytest.param("POST", "/v2/models/credit-risk/infer", 401, id="v2"),
            pytest.param("GET", "/openapi.json", 401, id="document"),
            pytest.param("GET", "/monitor/metrics", 401, id="metrics"),
            pytest.param("GET", "/nothing", 404, id="no-such-path"),
            pytest.param("GET", "/ready", 200, id="readiness"),
            pytest.param("GET", "/v2/health/live", 200, id="v2-liveness"),
        ],
    )
    def test_without_a_credential_only_health_is_open(self, stack, method, path, status):
        response = httpx.request(method, stack.api_url + path, timeout=30)
        assert response.status_code == status
        asked_of_a_person = path == "/openapi.json"
        challenge = response.headers.get("www-authenticate", "Bearer").split()[0]
        assert challenge == ("Basic" if asked_of_a_person else "Bearer")

    def test_a_browser_that_asks_for_the_key_shows_the_documentation(self, stack):
        browser = httpx.Client(base_url=stack.api_url, auth=("ada", stack.settings.key_file.read_text().strip()))
        for path in ("/docs", "/docs/static/swagger-ui-bundle.js", "/openapi.json"):
            assert browser.get(path).status_code == 200
        assert browser.post("/api/v1/predict", json={}).status_code == 401

    def test_a_key_is_good_until_it_is_revoked(self, stack, rows):
        made = stack.raygate("keys", "create", "shop", "--role", "predictor")
        key = made.stdout.strip()
        credential = {"authorization": f"Bearer {key}"}
        # Both gateways: each reads the store for itself.
        wait_until(lambda: statuses(stack, rows[0], credential) == {200})
        pinned = stack.predict(rows[0], headers=credential, model_version="1.1.0")
        assert (pinned.status_code, pinned.json()["code"]) == (403, "FORBIDDEN")
        stack.raygate("keys", "revoke", key.split("_")[1])
        # Both gateways: each reads the store for itself.
        wait_until(lambda: statuses(stack, rows[0], credential) == {401})


def statuses(stack, row, credential):
    """What a caller gets from whichever gateways take its requests."""
    return {stack.predict(row, headers=credential).status_code for _ in range(8)}


class TestTraffic:
    def test_rule_pin_and_champion_choose_before_the_split(self, stack, rows, applied):
        applied(
            traffic={"rules": [{"name": "beta", "when": {"header": {"x-cohort": "beta"}}, "version": "1.1.0"}]}
        )
        by_rule = {stack.predict(rows[0], headers={"x-cohort": "beta"}).json()["model_version"] for _ in range(8)}
        by_pin = {stack.predict(rows[0], model_version="1.1.0").json()["model_version"] for _ in range(8)}
        body = {"model_id": "credit-risk", "features": rows[0]}
        champion = {
            httpx.post(f"{stack.api_url}/predict", json=body, headers=stack.headers).json()["model_version"]
            for _ in range(20)
        }
        assert (by_rule, by_pin, champion) == ({"1.1.0"}, {"1.1.0"}, {"1.0.0"})

    def test_a_shadow_is_compared_and_logged(self, stack, rows, applied, metrics, client):
        applied(traffic={"split": {"1.0.0": 100}, "shadow": [{"version": "1.1.0"}]})
        before = metrics("ml_shadow_rows_total", version="1.1.0", result="compared")
        live = [client.predict("credit-risk", row) for row in rows[:20]]
        assert {answer.model_version for answer in live} == {"1.0.0"}
        wait_until(lambda: metrics("ml_shadow_rows_total", version="1.1.0", result="compared") == before + 20)
        assert metrics("ml_shadow_score_difference_sum", version="1.1.0") > 0

    def test_blue_and_green_are_switched_and_switched_back_in_one_call(self, stack, load):
        with load() as requests:
            requests.await_answers(100)
            stack.raygate("switch", "credit-risk", "1.1.0")
            switched = time.monotonic()
            requests.await_answers(200)
            green = requests.versions(since=switched + 0.5)
            stack.raygate("switch", "credit-risk", "--back")
            back = time.monotonic()
            requests.await_answers(400)
        assert requests.failed == []
        assert set(green) == {"1.1.0"}
        assert requests.versions(since=back)["1.0.0"] > 5 * requests.versions(since=back)["1.1.0"]

    def test_feedback_moves_a_bandit_on_every_gateway(self, stack, rows, applied, metrics, client):
        applied(traffic={"split": {"1.0.0": 50, "1.1.0": 50}, "bandit": {"floor": 10}})
        for _ in range(60):  # whom the split sends where: who asks for a version is no evidence
            predicted = client.predict("credit-risk", rows[0])
            client.feedback(predicted.prediction_id, value=float(predicted.model_version == "1.1.0"))
        wait_until(lambda: metrics("ml_traffic_weight_ratio", version="1.1.0") == 0.9)
        seen = [client.predict("credit-risk", rows[0]).model_version for _ in range(200)]
        assert seen.count("1.1.0") > 150


class TestAnswers:
    @pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
    def test_explanations_add_up_to_the_answer(self, client, rows, version):
        answer = client.predict(
            "credit-risk", rows[0], model_version=version, return_probabilities=True, return_explanations=True
        )
        found = answer.explanations
        assert found is not None, answer.unexplained
        margin = found.base_value + sum(found.contributions.values())
        assert set(found.contributions) == set(rows[0])
        assert 1 / (1 + np.exp(-margin)) == pytest.approx(answer.probabilities[str(found.of)], abs=1e-3)

    def test_somebody_elses_client_of_the_open_inference_protocol_is_answered(self, stack, rows, client):
        address = stack.api_url.removeprefix("http://")
        triton = tritonclient.http.InferenceServerClient(address)
        assert triton.is_server_live()
        assert triton.is_model_ready("credit-risk")
        described = triton.get_model_metadata("credit-risk", headers=stack.headers)
        inputs = []
        for tensor in described["inputs"]:
            value = rows[0][tensor["name"]]
            made = tritonclient.http.InferInput(tensor["name"], [1], tensor["datatype"])
            kind = object if tensor["datatype"] == "BYTES" else np.float64
            made.set_data_from_numpy(np.array([value], dtype=kind))
            inputs.append(made)
        result = triton.infer("credit-risk", inputs, model_version="1.0.0", headers=stack.headers)
        expected = client.predict("credit-risk", rows[0], model_version="1.0.0")
        assert result.as_numpy("prediction")[0].decode() == expected.prediction
        assert result.as_numpy("probability")[0] == pytest.approx(expected.probability, abs=1e-6)


def test_what_was_asked_answered_and_became_of_it_is_in_the_log(stack, rows, client):
    answer = client.predict("credit-risk", rows[0], user="ann")
    client.feedback(answer.prediction_id, label="bad", value=12.5, idempotency_key="one")
    again = client.feedback(answer.prediction_id, label="bad", value=12.5, idempotency_key="one")
    assert again.feedback_id
    found = wait_until(lambda: reader.find(stack.settings.prediction_log, answer.prediction_id), 90)
    assert (found["version"], found["prediction"]) == (answer.model_version, answer.prediction)
    assert found["feature.Income"] == rows[0]["Income"]
    assert (found["reason"], found["caller"]) == ("sticky", "local")
    assert "ann" not in str(found)
    explained = stack.raygate("explain", answer.prediction_id)
    assert f"assigned to {answer.model_version}: the slot of its unit belongs to it" in explained.stdout


def test_the_result_cache_answers_what_was_asked_before(stack, rows, applied, metrics, client, real_redis):
    applied(cache={"enabled": True}, traffic={"split": {"1.0.0": 100}})
    for _ in range(20):
        client.predict("credit-risk", rows[3])
    wait_until(lambda: metrics("ml_cache_rows_total", version="1.0.0", result="hit") >= 15)


def test_the_api_is_served_over_tls_1_3_only(stack, rows, tmp_path):
    """The listener of `raygate up` with a certificate, in front of this stack's API."""
    import ssl

    from ray_apps.local import tls_listener
    from ray_apps.local.tls_listener import TlsListener

    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    listener = TlsListener(
        "127.0.0.1", stack.settings.https_port, certificate, key, "127.0.0.1", stack.settings.http_port
    )
    process = tls_listener.start(listener, tmp_path, stack.environment, tmp_path / "tls.log")
    try:
        trusting = ssl.create_default_context(cafile=str(certificate))
        url = f"https://127.0.0.1:{stack.settings.https_port}/api/v1/predict"
        body = {"model_id": "credit-risk", "features": rows[0]}
        assert httpx.post(url, json=body, headers=stack.headers, verify=trusting).status_code == 200
        trusting.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(httpx.ConnectError):
            httpx.post(url, json=body, headers=stack.headers, verify=trusting)
    finally:
        tls_listener.stop(process.pid)
