from pathlib import Path

import pytest
import yaml

from deployments.contracts import yaml_document
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.secret_reference import SecretUnavailable
from deployments.streaming.stream_file import PredictionStream

EXAMPLE = Path(__file__).parents[3] / "examples" / "credit-risk" / "stream.yaml"


def read(**changes):
    document = yaml.safe_load(EXAMPLE.read_text())
    spec = {**document["spec"], **changes}
    document["spec"] = {name: value for name, value in spec.items() if value is not None}
    return yaml_document.read(yaml.safe_dump(document), "stream.yaml", PredictionStream)


def test_the_example_says_what_is_done():
    stream = read()
    assert (stream.name, stream.group) == ("credit-risk", "raygate-credit-risk")
    assert (stream.spec.key_header, stream.spec.workers, stream.spec.max_in_flight) == ("x-user-id", 2, 64)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"path": "/api/v1/score"}, "names an endpoint or a path, one of them", id="both"),
        pytest.param({"endpoint": None}, "names an endpoint or a path, one of them", id="neither"),
        pytest.param({"results": "credit-rejected"}, "three different topics", id="same-topic"),
        pytest.param({"input": "credit applications"}, "spec.input", id="no-topic"),
        pytest.param({"workers": 0}, "spec.workers", id="no-worker"),
        pytest.param({"keyHeader": "X User"}, "spec.keyHeader", id="no-header"),
        pytest.param(
            {"clientOptions": {"group.id": "other"}}, "group.id is decided by spec.group", id="own-option"
        ),
        pytest.param(
            {"clientOptions": {"enable.auto.commit": True}}, "committed after results are out", id="auto-commit"
        ),
        pytest.param(
            {"clientOptions": {"sasl.password": "hunter2"}}, "must be a reference to a secret", id="secret"
        ),
        pytest.param({"credential": "rg_secret"}, "must be a reference to a secret", id="credential"),
        pytest.param({"topic": "x"}, "spec.topic", id="unknown-field"),
        pytest.param({"format": "csv"}, "spec.format", id="unknown-format"),
        pytest.param({"format": "avro"}, "format avro needs a schemaRegistry", id="avro-without-registry"),
        pytest.param(
            {"schemaRegistry": "http://here:8081"}, "no other format has one", id="registry-without-avro"
        ),
        pytest.param(
            {"format": "avro", "schemaRegistry": "http://me:hunter2@here"},
            "spec.schemaRegistry",
            id="secret-in-url",
        ),
        pytest.param(
            {"schemaRegistryCredential": "env:REGISTRY"}, "needs a schemaRegistry", id="credential-for-nobody"
        ),
    ],
)
def test_what_is_wrong_is_named(changes, told):
    with pytest.raises(InvalidDocument) as refused:
        read(**changes)
    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_secrets_of_the_client_are_read_where_they_are_used(tmp_path):
    (tmp_path / "password").write_text("hunter2\n")
    options = {"sasl.password": f"file:{tmp_path / 'password'}", "sasl.mechanism": "PLAIN"}
    stream = read(clientOptions=options)
    assert "hunter2" not in stream.model_dump_json()
    assert stream.resolved_options() == {"sasl.password": "hunter2", "sasl.mechanism": "PLAIN"}
    with pytest.raises(SecretUnavailable, match="nowhere"):
        read(clientOptions={"sasl.password": "file:/nowhere"}).resolved_options()
