"""What the protocol tells of a model: its versions, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import InferencePath, ModelMetadata
from deployments.open_inference.datatypes import BOOL, BYTES, FP64
from deployments.open_inference.outputs import Output, outputs_of

ANY_NUMBER = -1
EXTENSIONS = ["binary_tensor_data"]
_DATATYPES = {FeatureKind.NUMBER: FP64, FeatureKind.BOOLEAN: BOOL}
_PLATFORMS = {InferencePath.COMPILED: "onnx_onnxv1", InferencePath.NATIVE: "python_pickle"}


def server(release: str) -> dict[str, Any]:
    """Metadata of the server."""
    return {"name": "raygate", "version": release, "extensions": EXTENSIONS}


def model(
    endpoint: str, versions: Iterable[str], schema: FeatureSchema, metadata: ModelMetadata
) -> dict[str, Any]:
    """Metadata of a model.

    Args:
        endpoint: Its name in the protocol.
        versions: Those that can be asked for by number.
        schema: Its features: a tensor each.
        metadata: Of the version that is described.
    """
    return {
        "name": endpoint,
        "versions": list(versions),
        "platform": _PLATFORMS[metadata.path],
        "inputs": [_input(feature) for feature in schema.features],
        "outputs": [_output(output) for output in outputs_of(metadata).values()],
    }


def _input(feature: Feature) -> dict[str, Any]:
    tensor: dict[str, Any] = {
        "name": feature.name,
        "datatype": _DATATYPES.get(feature.kind, BYTES).name,
        "shape": [ANY_NUMBER],
    }
    if feature.nullable:
        tensor["parameters"] = {"nullable": True}
    return tensor


def _output(output: Output) -> dict[str, Any]:
    tensor: dict[str, Any] = {
        "name": output.name,
        "datatype": output.datatype.name,
        "shape": output.shape(ANY_NUMBER),
    }
    if parameters := output.parameters():
        tensor["parameters"] = parameters
    return tensor
