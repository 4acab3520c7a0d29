"""Tensors become rows, or an error that names the tensor."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contracts.errors import InvalidRows, MalformedRequest
from deployments.open_inference.datatypes import BY_NAME, BYTES, FP64
from deployments.open_inference.inference_request import read


def tensor(name="Age", datatype="FP64", shape=(2,), data=(1.0, 2.0), **more):
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": list(data), **more}


def binary_tensor(size, **more):
    made = tensor(parameters={"binary_data_size": size}, **more)
    del made["data"]
    return made


def rows_of(*tensors, binary=b"", max_rows=1000, **frame):
    head = json.dumps({"inputs": list(tensors), **frame}).encode()
    return read(head + binary, str(len(head)) if binary else None, max_rows)


def test_one_tensor_a_feature_becomes_one_object_a_row():
    request = rows_of(
        tensor("Age", "INT32", [2, 1], [[30], [40]]),
        tensor("Job", "BYTES", [2], ["fixed", None]),
        tensor("Owner", "BOOL", [2, 1], [True, False]),
        id="42",
    )
    assert request.id == "42"
    assert request.rows == [
        {"Age": 30, "Job": "fixed", "Owner": True},
        {"Age": 40, "Job": None, "Owner": False},
    ]


def test_not_a_number_is_null_in_json_and_in_binary():
    in_json = rows_of(tensor(data=[1.0, float("nan")]))
    in_binary = rows_of(binary_tensor(16), binary=np.array([1.0, np.nan]).tobytes())
    assert in_json.rows == in_binary.rows == [{"Age": 1.0}, {"Age": None}]


@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in ("BYTES", "BOOL")])
def test_numbers_of_every_type_arrive_in_json_and_in_binary(name):
    values = np.array([1, 100], dtype=BY_NAME[name].dtype)
    in_json = rows_of(tensor(datatype=name, data=values.tolist()))
    in_binary = rows_of(binary_tensor(values.nbytes, datatype=name), binary=values.tobytes())
    assert in_json.rows == in_binary.rows == [{"Age": 1}, {"Age": 100}]


@given(st.lists(st.text(), min_size=1))
def test_texts_survive_binary(texts):
    assert BYTES.from_binary(memoryview(BYTES.to_binary(texts)), len(texts), "data") == texts


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_reals_survive_binary(values):
    assert FP64.from_binary(memoryview(FP64.to_binary(values)), len(values), "data") == values


def test_binary_tensors_follow_one_another():
    texts = BYTES.to_binary(["a", "bc"])
    numbers = np.array([1.0, 2.0]).tobytes()
    request = rows_of(
        binary_tensor(len(texts), name="Job", datatype="BYTES"),
        tensor("Owner", "BOOL", [2], [True, False]),
        binary_tensor(16),
        binary=texts + numbers,
    )
    assert request.rows == [{"Job": "a", "Owner": True, "Age": 1.0}, {"Job": "bc", "Owner": False, "Age": 2.0}]


def test_an_output_goes_out_as_it_was_asked_for_or_else_as_the_request_says():
    request = rows_of(
        tensor(),
        outputs=[{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}],
        parameters={"binary_data_output": True},
    )
    assert [(wanted.name, wanted.binary) for wanted in request.outputs] == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        pytest.param([], "inputs: is required", id="no-tensor"),
        pytest.param(["Age"], "inputs: is required", id="tensor-is-no-object"),
        pytest.param([tensor(name=None)], "inputs[0].name", id="no-name"),
        pytest.param([tensor(), tensor()], "inputs[1].name: 'Age' stands twice", id="twice"),
        pytest.param([tensor(datatype="BF16")], "inputs[0].datatype: must be one of BOOL", id="unknown-type"),
        pytest.param([tensor(datatype=["FP64"])], "inputs[0].datatype", id="type-is-a-list"),
        pytest.param([tensor(shape=[])], "inputs[0].shape: must be [n] or [n, 1]", id="scalar"),
        pytest.param([tensor(shape=[1, 2])], "inputs[0].shape: must be [n] or [n, 1]", id="matrix"),
        pytest.param([tensor(shape=[True])], "inputs[0].shape", id="shape-is-true"),
        pytest.param([tensor(shape=[0], data=[])], "inputs[0].shape", id="no-rows"),
        pytest.param([tensor(shape=[3])], "inputs[0].data: has 2 elements; the shape says 3", id="too-few"),
        pytest.param([{**tensor(), "data": "ab"}], "inputs[0].data", id="no-list"),
        pytest.param(
            [tensor(), tensor("B", shape=[1], data=[1.0])], "inputs[1].shape: says 1 rows", id="lengths-differ"
        ),
        pytest.param([tensor(shape=[1001])], "inputs[0].shape: says 1001 rows; at most 1000", id="too-many-rows"),
        pytest.param([tensor(data=[1.0, "x"])], "inputs[0].data[1]: must be a number", id="text-for-real"),
        pytest.param([tensor(data=[1.0, True])], "inputs[0].data[1]: must be a number", id="boolean-for-real"),
        pytest.param([tensor(data=[1.0, [2.0]])], "inputs[0].data[1]: must be a number", id="nested-unevenly"),
        pytest.param(
            [tensor(datatype="INT8", data=[1, 128])], "data[1]: INT8 holds -128 to 127", id="out-of-range"
        ),
        pytest.param(
            [tensor(datatype="INT8", data=[1, 1.5])], "data[1]: must be a whole number", id="real-for-int"
        ),
        pytest.param([tensor(datatype="BOOL", data=[1, 0])], "data[0]: must be true or false", id="int-for-bool"),
        pytest.param([tensor(datatype="BYTES", data=[1, 0])], "data[0]: must be a text", id="int-for-text"),
        pytest.param([tensor(parameters=[])], "inputs[0].parameters: must be an object", id="parameters"),
        pytest.param([binary_tensor(8)], "binary_data_size", id="binary-without-data"),
        pytest.param(
            [tensor(parameters={"shared_memory_region": "r"})],
            "shared memory is not supported",
            id="shared-memory",
        ),
    ],
)
def test_a_bad_tensor_is_named(tensors, told):
    with pytest.raises(InvalidRows) as refused:
        rows_of(*tensors)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("tensors", "binary", "told"),
    [
        pytest.param([binary_tensor(8)], b"12345678", "has 8 bytes; 2 elements of FP64 take 16", id="too-short"),
        pytest.param([binary_tensor(-1)], b"1", "binary_data_size", id="negative"),
        pytest.param([binary_tensor(True)], b"1", "binary_data_size", id="size-is-true"),
        pytest.param([binary_tensor(16)], b"1" * 17, "1 bytes follow the last binary tensor", id="too-long"),
        pytest.param(
            [binary_tensor(3, datatype="BYTES")], b"\x01\0\0", "is not 2 elements of BYTES", id="cut-in-a-length"
        ),
        pytest.param(
            [binary_tensor(5, datatype="BYTES")], b"\xff\xff\xff\xffa", "is not 2 elements", id="length-that-lies"
        ),
        pytest.param([binary_tensor(5, datatype="BYTES")], b"\x01\0\0\0a", "holds 1 elements", id="too-few-texts"),
        pytest.param([binary_tensor(12, datatype="BYTES")], b"\0" * 12, "is not 2 elements", id="too-many-texts"),
        pytest.param(
            [binary_tensor(9, datatype="BYTES")], b"\0\0\0\0\x01\0\0\0\xff", "data[1]: is not UTF-8", id="not-utf8"
        ),
    ],
)
def test_bad_binary_data_is_named(tensors, binary, told):
    with pytest.raises(InvalidRows) as refused:
        rows_of(*tensors, binary=binary)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        pytest.param({"id": 42}, "id: must be a text", id="id"),
        pytest.param({"parameters": {"binary_data_output": 1}}, "parameters.binary_data_output", id="flag"),
        pytest.param({"outputs": "prediction"}, "outputs: must be a list", id="outputs"),
        pytest.param({"outputs": [{"name": "a"}, {"name": "a"}]}, "outputs[1].name", id="output-twice"),
        pytest.param({"outputs": [{}]}, "outputs[0].name", id="output-without-name"),
        pytest.param(
            {"outputs": [{"name": "a", "parameters": {"classification": 2}}]}, "not supported", id="classification"
        ),
    ],
)
def test_a_bad_frame_is_named(frame, told):
    with pytest.raises(InvalidRows) as refused:
        rows_of(tensor(), **frame)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("body", "header_length"),
    [
        pytest.param(b"{", None, id="not-json"),
        pytest.param(b"[1]", None, id="not-an-object"),
        pytest.param(b"\xff\xfe", None, id="not-utf8"),
        pytest.param(b"[" * 100_000, None, id="too-deep"),
        pytest.param(b'{"inputs": [' + b"1" * 5000 + b"]", None, id="number-of-5000-digits"),
        pytest.param(b"{}", "3", id="header-longer-than-the-body"),
        pytest.param(b"{}", "-1", id="negative-header"),
        pytest.param(b"{}", "²", id="header-in-other-digits"),
        pytest.param(b"{}", "9" * 5000, id="header-of-5000-digits"),
    ],
)
def test_what_is_not_the_protocol_is_malformed(body, header_length):
    with pytest.raises(MalformedRequest):
        read(body, header_length, 1000)


def test_a_whole_number_too_large_for_a_real_is_refused():
    body = b'{"inputs": [{"name": "Age", "datatype": "FP64", "shape": [2], "data": [NaN, 1%s]}]}' % (b"0" * 400)
    with pytest.raises(InvalidRows, match=r"data\[1\]"):
        read(body, None, 1000)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("Age") | st.just("Job") | JSON_VALUES,
        "datatype": st.sampled_from(sorted(BY_NAME)) | JSON_VALUES,
        "shape": st.just([2]) | st.just([2, 1]) | JSON_VALUES,
        "data": st.lists(JSON_VALUES, min_size=2, max_size=2) | JSON_VALUES,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(0, 40) | JSON_VALUES}),
    },
)


@given(st.lists(TENSORS, min_size=1, max_size=3) | JSON_VALUES, st.binary(max_size=40))
def test_whatever_is_sent_becomes_rows_or_a_named_error(inputs, binary):
    head = json.dumps({"inputs": inputs}).encode()
    with contextlib.suppress(InvalidRows, MalformedRequest):
        assert read(head + binary, str(len(head)), 1000).rows
