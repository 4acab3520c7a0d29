"""An inference request: from its bytes to rows of feature values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from deployments.contracts.errors import FieldProblem, InvalidRows, MalformedRequest
from deployments.gateway import lenient_json
from deployments.gateway.row_validation import shown_name
from deployments.open_inference.datatypes import BY_NAME, Datatype


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that the caller asked for."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """A request whose frame and tensors are sound; the values have not been compared with any model's features.

    Attributes:
        id: The caller's name for the request, or None; goes into the answer.
        rows: A value for each tensor by its name, row by row; None is null.
        outputs: What was asked for; empty asks for the outputs that every answer has.
        binary: Whether an output goes out in binary if nothing else was said of it.
    """

    id: str | None
    rows: list[dict[str, Any]]
    outputs: tuple[Wanted, ...]
    binary: bool


def read(body: bytes, header_length: str | None, max_rows: int) -> InferenceRequest:
    """Read a request.

    Args:
        body: JSON, followed by the tensors that are sent in binary.
        header_length: Value of Inference-Header-Content-Length: bytes of the JSON; None if it is all there is.
        max_rows: Of one request; more are refused before anything of their size is built.

    Raises:
        MalformedRequest: Not JSON, not an object, or the header does not fit the body.
        InvalidRows: A field of the frame or a tensor is wrong.
    """
    text, binary = _split(body, header_length)
    document = _parse(text)
    request_id = document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise _invalid("id", "must be a text")
    inputs = document.get("inputs")
    if type(inputs) is not list or not inputs or not all(type(tensor) is dict for tensor in inputs):
        raise _invalid("inputs", "is required: a list of tensors, one for each feature")
    default = _flag(_parameters(document, "parameters"), "binary_data_output", "parameters", False)
    return InferenceRequest(request_id, _rows(inputs, binary, max_rows), _outputs(document, default), default)


def _split(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    # More than twelve digits are too many without a look at their value.
    if not (header_length.isascii() and header_length.isdigit()) or len(header_length) > 12:
        raise MalformedRequest("Inference-Header-Content-Length must be a number of bytes")
    length = int(header_length)
    if length > len(body):
        raise MalformedRequest(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes")
    return body[:length], memoryview(body)[length:]


def _parse(text: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            document = lenient_json.loads(text)  # clients of the protocol write NaN for a missing number
        except UnicodeEncodeError:
            raise MalformedRequest(
                "the request has a text that is not Unicode: half of a surrogate pair"
            ) from None
        except (ValueError, RecursionError):
            place = f"line {error.lineno} column {error.colno}"
            raise MalformedRequest(f"the request is not JSON: {error.msg} at {place}") from None
    if type(document) is not dict:
        raise MalformedRequest('the request must be a JSON object such as {"inputs": [...]}')
    return document


def _rows(inputs: list[dict[str, Any]], binary: memoryview, max_rows: int) -> list[dict[str, Any]]:
    columns: dict[str, list[Any]] = {}
    count = 0
    for position, tensor in enumerate(inputs):
        where = f"inputs[{position}]"
        name, datatype, rows = _name(tensor, where), _datatype(tensor, where), _row_count(tensor, where)
        if name in columns:
            raise _invalid(f"{where}.name", f"{shown_name(name)!r} stands twice")
        if columns and rows != count:
            raise _invalid(f"{where}.shape", f"says {rows} rows, the tensors before it {count}")
        if rows > max_rows:
            raise _invalid(f"{where}.shape", f"says {rows} rows; at most {max_rows} go into one request")
        count = rows
        columns[name], binary = _values(tensor, datatype, rows, binary, where)
    if len(binary):
        raise _invalid("inputs", f"{len(binary)} bytes follow the last binary tensor")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _values(
    tensor: dict[str, Any], datatype: Datatype, rows: int, binary: memoryview, where: str
) -> tuple[list[Any], memoryview]:
    """A tensor's values, and the binary data behind them."""
    parameters = _parameters(tensor, f"{where}.parameters")
    if "shared_memory_region" in parameters:
        raise _invalid(f"{where}.parameters", "shared memory is not supported; send the data")
    if "binary_data_size" in parameters:
        size = parameters["binary_data_size"]
        if type(size) is not int or not 0 <= size <= len(binary):
            raise _invalid(
                f"{where}.parameters.binary_data_size", "is not the size of the data that follows the JSON"
            )
        return datatype.from_binary(binary[:size], rows, f"{where}.data"), binary[size:]
    data = tensor.get("data")
    if type(data) is not list:
        raise _invalid(f"{where}.data", "is required: a list of values")
    if all(type(element) is list and len(element) == 1 for element in data):
        data = [element[0] for element in data]  # [n, 1] in its natural form
    if len(data) != rows:
        raise _invalid(f"{where}.data", f"has {len(data)} elements; the shape says {rows}")
    return datatype.from_json(data, f"{where}.data"), binary


def _name(tensor: dict[str, Any], where: str) -> str:
    name = tensor.get("name")
    if type(name) is not str:
        raise _invalid(f"{where}.name", "is required: the name of a feature")
    return name


def _datatype(tensor: dict[str, Any], where: str) -> Datatype:
    name = tensor.get("datatype")
    datatype = BY_NAME.get(name) if type(name) is str else None
    if datatype is None:
        raise _invalid(f"{where}.datatype", f"must be one of {', '.join(BY_NAME)}")
    return datatype


def _row_count(tensor: dict[str, Any], where: str) -> int:
    shape = tensor.get("shape")
    if (
        type(shape) is not list
        or not shape
        or not all(type(size) is int for size in shape)
        or shape[0] < 1
        or shape[1:] not in ([], [1])
    ):
        raise _invalid(f"{where}.shape", "must be [n] or [n, 1] for n rows; every feature is a tensor of its own")
    return int(shape[0])


def _outputs(document: dict[str, Any], default: bool) -> tuple[Wanted, ...]:
    outputs = document.get("outputs", [])
    if type(outputs) is not list or not all(type(output) is dict for output in outputs):
        raise _invalid("outputs", "must be a list of outputs")
    wanted: list[Wanted] = []
    for position, output in enumerate(outputs):
        where = f"outputs[{position}]"
        name, parameters = output.get("name"), _parameters(output, f"{where}.parameters")
        if type(name) is not str or name in [known.name for known in wanted]:
            raise _invalid(f"{where}.name", "is required: the name of an output, once")
        if "classification" in parameters or "shared_memory_region" in parameters:
            raise _invalid(f"{where}.parameters", "classification and shared memory are not supported")
        wanted.append(Wanted(name, _flag(parameters, "binary_data", f"{where}.parameters", default)))
    return tuple(wanted)


def _parameters(document: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = document.get("parameters", {})
    if type(parameters) is not dict:
        raise _invalid(where, "must be an object")
    return parameters


def _flag(parameters: dict[str, Any], name: str, where: str, default: bool) -> bool:
    flag = parameters.get(name, default)
    if type(flag) is not bool:
        raise _invalid(f"{where}.{name}", "must be true or false")
    return flag


def _invalid(where: str, message: str) -> InvalidRows:
    return InvalidRows((FieldProblem(where, message),))
