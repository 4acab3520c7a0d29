import json
import shlex
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from deployments.contracts.errors import InvalidDocument, PackageNotFound
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.rollout.decision_follower import Backlog
from ray_apps.cli.stack_report import status_document
from ray_apps.local import mlflow_page
from ray_apps.local.first_predictions import curl_line, sample_rows
from ray_apps.local.serve_api import Application, applications_in
from ray_apps.local.status import StackStatus, read_status, traffic_in
from ray_apps.local.training_run import looks_trained
from ray_apps.settings import Settings

EXPOSITION = """
# TYPE ml_traffic_weight_ratio gauge
ml_traffic_weight_ratio{endpoint="credit-risk",version="1.0.0",environment="local"} 0.9
ml_traffic_weight_ratio{endpoint="credit-risk",version="1.1.0",environment="local"} 0.1
# TYPE ml_scoring_requests_total counter
ml_scoring_requests_total{model="credit_risk",version="1.0.0",code="ok"} 80
ml_scoring_requests_total{model="credit_risk",version="1.0.0",code="VALIDATION_ERROR"} 10
ml_scoring_requests_total{model="credit_risk",version="1.1.0",code="ok"} 12
"""


def test_weights_and_requests_are_read_from_the_metrics():
    traffic = traffic_in(EXPOSITION)
    assert traffic.weights == {"credit-risk": {"1.0.0": 0.9, "1.1.0": 0.1}}
    assert traffic.requests == {"credit_risk": {"1.0.0": 90.0, "1.1.0": 12.0}}


def test_replicas_are_counted_over_an_applications_deployments():
    deployments = {
        "pool": {"target_num_replicas": 2, "replicas": [{"state": "RUNNING"}, {"state": "STARTING"}]},
        "other": {"target_num_replicas": 1, "replicas": [{"state": "RUNNING"}]},
    }
    details = {"applications": {"a": {"status": "DEPLOYING", "message": "", "deployments": deployments}}}
    assert applications_in(details) == [Application("a", "DEPLOYING", "", running=2, wanted=3)]


def test_a_pool_that_nobody_asks_sleeps_and_one_that_is_late_does_not():
    asleep, late = Application("a", "RUNNING", "", 0, 0), Application("b", "RUNNING", "", running=0, wanted=1)
    assert (asleep.sleeps, late.sleeps) == (True, False)
    assert not Application("c", "DEPLOY_FAILED", "", running=0, wanted=0).sleeps


def test_a_serve_that_was_never_started_has_no_applications():
    assert applications_in({}) == []


def test_a_stack_that_is_not_up_is_not_ready(tmp_path):
    document = status_document(read_status(Settings(state_directory=tmp_path)))
    assert document["ready"] is False
    assert document["phase"] == "down"
    json.dumps(document)


def test_what_the_audits_database_has_not_got_yet_is_told():
    waiting = Backlog(3, datetime(2026, 11, 21, 12, tzinfo=UTC))
    document = status_document(StackStatus(None, (), False, None, None, waiting))
    assert document["audit"] == {"waiting": 3, "oldest": "2026-11-21T12:00:00+00:00"}


def test_sample_rows_are_what_a_caller_could_send(tmp_path):
    package = tmp_path / "churn" / "v1.0.0"
    package.mkdir(parents=True)
    (package / "manifest.json").touch()
    features = (Feature(name="age", kind=FeatureKind.NUMBER), Feature(name="home", kind=FeatureKind.CATEGORY))
    (package / "feature_schema.json").write_text(FeatureSchema(features=features).model_dump_json())
    frame = pd.DataFrame({"age": [1.5, np.nan], "home": ["own", None], "score": [0.1, 0.2]})
    frame.to_parquet(package / "reference_sample.parquet")
    rows = sample_rows(tmp_path, ModelVersion.parse("churn_v1.0.0"), 5)
    assert rows == [{"age": 1.5, "home": "own"}, {"age": None, "home": None}]


def test_a_model_without_a_package_has_no_sample(tmp_path):
    with pytest.raises(PackageNotFound, match="churn"):
        sample_rows(tmp_path, ModelVersion.parse("churn_v1.0.0"), 5)


def test_the_curl_line_survives_a_shell():
    words = shlex.split(curl_line("http://127.0.0.1:8000", "churn", {"job": 'it\'s "x"', "age": None}, ""))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/api/v1/predict"]
    assert json.loads(words[-1]) == {"model_id": "churn", "features": {"job": 'it\'s "x"', "age": None}}


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param(["1.0.0", "1.1.0"], True, id="all-there"),
        pytest.param(["1.0.0"], False, id="one-missing"),
        pytest.param([], False, id="none"),
    ],
)
def test_a_config_looks_trained_when_the_store_has_all_its_versions(tmp_path, stored, expected):
    config = tmp_path / "training.yaml"
    config.write_text("model: churn\nversions: [{version: 1.0.0}, {version: 1.1.0}]\n")
    for version in stored:
        (tmp_path / "churn" / f"v{version}").mkdir(parents=True)
        (tmp_path / "churn" / f"v{version}" / "manifest.json").write_text("{}")
    assert looks_trained(config, tmp_path) is expected


def test_a_config_that_is_not_yaml_is_an_error_that_names_it(tmp_path):
    config = tmp_path / "training.yaml"
    config.write_text("a: [")
    with pytest.raises(InvalidDocument, match=r"training\.yaml"):
        looks_trained(config, tmp_path)


def test_a_tracking_server_brings_its_own_page():
    assert not mlflow_page.has_own_page(Settings(MLFLOW_TRACKING_URI="http://mlflow:5000"))
    assert mlflow_page.has_own_page(Settings(MLFLOW_TRACKING_URI=None))


def test_the_page_waits_for_a_store_that_training_is_about_to_make(tmp_path):
    settings = Settings(state_directory=tmp_path, MLFLOW_TRACKING_URI=None)
    assert not mlflow_page.store_exists(settings)
    (tmp_path / "mlflow.db").touch()
    assert mlflow_page.store_exists(settings)
