"""Somebody else's client of the protocol understands the gateway."""

import json

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

MODEL = "credit-risk"
COLUMNS = {
    "Income": np.array([0.25, np.nan, 0.9]),
    "Age": np.array([30, 40, 50], dtype=np.int32),
    "Owner": np.array([True, False, True]),
    "Job": np.array(["fixed", "freelance", "ström"], dtype=np.object_),
}
DATATYPES = {"Income": "FP64", "Age": "INT32", "Owner": "BOOL", "Job": "BYTES"}


def tensors(binary=True, columns=None, shape=None):
    made = []
    for name, values in (columns or COLUMNS).items():
        values = values.reshape(shape) if shape else values
        tensor = InferInput(name, list(values.shape), DATATYPES[name])
        made.append(tensor.set_data_from_numpy(values, binary_data=binary))
    return made


@pytest.fixture
def client(server):
    with InferenceServerClient(server.address) as connected:
        yield connected


def test_an_inference_is_traced_into_the_pool(serve, traced, exporter):
    with serve(spans=traced) as running, InferenceServerClient(running.address) as connected:
        connected.infer(MODEL, tensors())
        with pytest.raises(InferenceServerException):
            connected.infer(MODEL, tensors(columns={"Income": COLUMNS["Income"]}))
    spans = {span.status.description: span for span in exporter.get_finished_spans() if span.kind.name == "SERVER"}
    assert {span.name for span in spans.values()} == {"POST /v2/models/{name}/infer"}
    assert set(spans) == {None, "InvalidRows"}


@pytest.mark.parametrize("binary_in", [True, False], ids=["binary-in", "json-in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary-out", "json-out"])
@pytest.mark.parametrize("shape", [None, (3, 1)], ids=["vector", "column"])
def test_predictions_come_back_in_the_form_that_was_asked_for(client, binary_in, binary_out, shape):
    names = ["prediction", "probability", "probabilities", "prediction_id"]
    outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in names]
    result = client.infer(MODEL, tensors(binary_in, shape=shape), outputs=outputs, request_id="r1")
    labels = [label.decode() if binary_out else label for label in result.as_numpy("prediction")]
    assert labels == ["good", "good", "bad"]
    assert result.as_numpy("probability").tolist() == [0.75, 1.0, 0.9]
    assert result.as_numpy("probabilities").tolist() == [[0.75, 0.25], [1.0, 0.0], [pytest.approx(0.1), 0.9]]
    assert len(set(result.as_numpy("prediction_id"))) == 3
    response = result.get_response()
    assert (response["model_name"], response["model_version"], response["id"]) == (MODEL, "1.0.0", "r1")
    assert json.loads(result.get_output("probabilities")["parameters"]["classes"]) == ["good", "bad"]
    assert ("binary_data_size" in result.get_output("prediction").get("parameters", {})) is binary_out


def test_without_a_wish_the_client_gets_what_every_answer_has(client):
    result = client.infer(MODEL, tensors())
    assert [output["name"] for output in result.get_response()["outputs"]] == [
        "prediction",
        "probability",
        "prediction_id",
    ]
    assert result.as_numpy("prediction").tolist() == [b"good", b"good", b"bad"]


def test_the_model_sees_the_values_that_the_client_sent(server, client):
    client.infer(MODEL, tensors())
    columns = server.pools["credit_risk_v1.0.0"].calls[-1].columns
    assert columns.numeric.tolist() == [[0.25, 30, 1], [0, 40, 0], [0.9, 50, 1]]
    assert columns.valid[:, 0].tolist() == [True, False, True]
    assert columns.textual == (["fixed", "freelance", "ström"],)


def test_a_feature_that_is_left_out_is_null(client):
    columns = {name: values for name, values in COLUMNS.items() if name not in ("Income", "Job")}
    assert client.infer(MODEL, tensors(columns=columns)).as_numpy("probability").tolist() == [1.0] * 3


def test_a_version_can_be_named_by_those_who_may(client):
    result = client.infer(MODEL, tensors(), model_version="1.1.0", headers={"x-role": "operator"})
    assert result.get_response()["model_version"] == "1.1.0"
    with pytest.raises(InferenceServerException) as refused:
        client.infer(MODEL, tensors(), model_version="1.1.0")
    assert refused.value.status() == "403"


@pytest.mark.parametrize(
    ("classes", "datatype", "labels"),
    [
        pytest.param((False, True), "BOOL", [False, False, True], id="booleans"),
        pytest.param((0, 7), "INT64", [0, 0, 7], id="integers"),
        pytest.param(("no", 7), "BYTES", [b"no", b"no", b"7"], id="mixed"),
    ],
)
def test_labels_keep_their_type(serve, classes, datatype, labels):
    with serve(classes=classes) as server, InferenceServerClient(server.address) as client:
        described = {output["name"]: output for output in client.get_model_metadata(MODEL)["outputs"]}
        assert described["prediction"]["datatype"] == datatype
        assert client.infer(MODEL, tensors()).as_numpy("prediction").tolist() == labels


def test_a_regression_has_a_value_and_no_probability(serve):
    with (
        serve(classes=(), model=lambda columns: 100 * columns.numeric[:, :1]) as server,
        InferenceServerClient(server.address) as client,
    ):
        result = client.infer(MODEL, tensors())
        assert result.as_numpy("prediction").tolist() == [25.0, 0.0, 90.0]
        assert [output["name"] for output in result.get_response()["outputs"]] == ["prediction", "prediction_id"]
        with pytest.raises(InferenceServerException, match="outputs: prediction, prediction_id"):
            client.infer(MODEL, tensors(), outputs=[InferRequestedOutput("probability")])


def test_several_targets_are_the_columns_of_one_tensor(serve):
    def twice(columns):
        return np.column_stack([columns.numeric[:, 0], 2 * columns.numeric[:, 0]])

    with (
        serve(classes=(), targets=("width", "height"), model=twice) as server,
        InferenceServerClient(server.address) as client,
    ):
        described = {output["name"]: output for output in client.get_model_metadata(MODEL)["outputs"]}
        assert described["prediction"]["shape"] == [-1, 2]
        assert described["prediction"]["parameters"] == {"targets": '["width","height"]'}
        found = client.infer(MODEL, tensors()).as_numpy("prediction")
        assert found.tolist() == [[0.25, 0.5], [0.0, 0.0], [0.9, 1.8]]


def test_metadata_names_versions_inputs_and_outputs(client):
    metadata = client.get_model_metadata(MODEL)
    assert (metadata["name"], metadata["versions"], metadata["platform"]) == (
        MODEL,
        ["1.0.0", "1.1.0"],
        "onnx_onnxv1",
    )
    assert metadata["inputs"] == [
        {"name": "Income", "datatype": "FP64", "shape": [-1], "parameters": {"nullable": True}},
        {"name": "Age", "datatype": "FP64", "shape": [-1]},
        {"name": "Owner", "datatype": "BOOL", "shape": [-1]},
        {"name": "Job", "datatype": "BYTES", "shape": [-1], "parameters": {"nullable": True}},
    ]
    outputs = {output["name"]: (output["datatype"], output["shape"]) for output in metadata["outputs"]}
    assert outputs == {
        "prediction": ("BYTES", [-1]),
        "probability": ("FP64", [-1]),
        "probabilities": ("FP64", [-1, 2]),
        "prediction_id": ("BYTES", [-1]),
    }
    assert client.get_model_metadata(MODEL, "1.1.0")["versions"] == metadata["versions"]


def test_the_server_says_what_it_is_and_how_it_is(client):
    assert client.get_server_metadata() == {
        "name": "raygate",
        "version": "1.2.3",
        "extensions": ["binary_tensor_data"],
    }
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1.1.0")
    assert not client.is_model_ready("nobody")
    assert not client.is_model_ready(MODEL, "9.9.9")


def test_a_stable_version_that_is_down_makes_model_and_server_unready(serve):
    with serve() as server, InferenceServerClient(server.address) as client:
        server.scoring.endpoint(MODEL).stable.ready = False
        assert client.is_server_live()
        assert not client.is_server_ready()
        assert not client.is_model_ready(MODEL)
        assert client.is_model_ready(MODEL, "1.1.0")
        with pytest.raises(InferenceServerException, match="cannot answer now") as refused:
            client.infer(MODEL, tensors())
        assert refused.value.status() == "503"
