"""An answer as the protocol's response: JSON, and behind it the tensors that go out in binary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from deployments.open_inference.inference_request import InferenceRequest
from deployments.open_inference.outputs import Output

HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class InferenceAnswer:
    """A response.

    Attributes:
        body: JSON, followed by binary tensors.
        header_length: Bytes of the JSON, or None if it is all there is.
    """

    body: bytes
    header_length: int | None

    def headers(self) -> dict[str, str]:
        """HTTP headers, content type included."""
        if self.header_length is None:
            return {"content-type": "application/json"}
        return {"content-type": "application/octet-stream", HEADER_LENGTH: str(self.header_length)}


def write(
    request: InferenceRequest,
    outputs: Sequence[tuple[Output, bool]],
    endpoint: str,
    version: str,
    rows: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, str],
) -> InferenceAnswer:
    """Write the answer to a request.

    Args:
        request: Whose id comes back.
        outputs: What to send, and for each whether in binary.
        endpoint: The model's name in the protocol.
        version: The version that answered.
        rows: One entry a row, as in ``predictions`` of ``POST /api/v1/predict``, each with a prediction.
        parameters: Of the whole answer: what the protocol has no field for.
    """
    tensors, binary = [], []
    for output, is_binary in outputs:
        tensor: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype.name,
            "shape": output.shape(len(rows)),
        }
        told: dict[str, Any] = output.parameters()
        elements = output.elements(rows)
        if is_binary:
            binary.append(output.datatype.to_binary(elements))
            told["binary_data_size"] = len(binary[-1])
        else:
            tensor["data"] = elements
        if told:
            tensor["parameters"] = told
        tensors.append(tensor)
    document: dict[str, Any] = {"model_name": endpoint, "model_version": version, "outputs": tensors}
    if request.id is not None:
        document["id"] = request.id
    if parameters:
        document["parameters"] = dict(parameters)
    text = orjson.dumps(document)
    return InferenceAnswer(b"".join([text, *binary]), len(text) if binary else None)
