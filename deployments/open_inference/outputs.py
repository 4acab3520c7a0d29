"""The outputs of a model as tensors: which there are, and an answer's values in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from deployments.contracts import labels
from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.package import ModelMetadata, Task
from deployments.open_inference.datatypes import BOOL, BYTES, FP64, INT64, Datatype
from deployments.open_inference.inference_request import InferenceRequest, Wanted

PREDICTION = "prediction"
PROBABILITY = "probability"
PROBABILITIES = "probabilities"
PREDICTION_ID = "prediction_id"


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a model.

    Attributes:
        name: As in the answers of ``/api/v1/predict``, where it is found by the same name.
        datatype: Of its elements.
        width: Elements a row; 0 for a tensor of one dimension.
        by_default: Whether it is sent if the caller named no outputs.
        classes: Labels in the order of the columns.
        targets: Names of the quantities in the order of the columns.
    """

    name: str
    datatype: Datatype
    width: int = 0
    by_default: bool = True
    classes: tuple[str | int | bool, ...] = ()
    targets: tuple[str, ...] = ()

    def shape(self, rows: int) -> list[int]:
        """Shape for a number of rows; -1 stands for any."""
        return [rows, self.width] if self.width else [rows]

    def elements(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Its elements in row-major order."""
        if self.width:
            return [value for row in rows for value in row[self.name].values()]
        if self.datatype is BYTES:
            return [labels.text(row[self.name]) for row in rows]  # labels of mixed types are told as texts
        return [row[self.name] for row in rows]

    def parameters(self) -> dict[str, str]:
        """What the protocol has no field for: names of columns as a JSON list; a parameter is a single value."""
        names = {"classes": self.classes, "targets": self.targets}
        return {kind: orjson.dumps(columns).decode() for kind, columns in names.items() if columns}


def outputs_of(metadata: ModelMetadata) -> dict[str, Output]:
    """The outputs of a model by name."""
    identity = Output(PREDICTION_ID, BYTES)
    if metadata.task is Task.REGRESSION:
        targets = metadata.targets
        outputs = [Output(PREDICTION, FP64, width=len(targets), targets=targets), identity]
    else:
        classes = metadata.classes
        outputs = [
            Output(PREDICTION, _label_datatype(classes)),
            Output(PROBABILITY, FP64),
            Output(PROBABILITIES, FP64, width=len(classes), by_default=False, classes=classes),
            identity,
        ]
    return {output.name: output for output in outputs}


def chosen(request: InferenceRequest, metadata: ModelMetadata) -> list[tuple[Output, bool]]:
    """The outputs that a request gets, and for each whether in binary.

    Raises:
        InvalidRows: It asks for an output that the model does not have.
    """
    known = outputs_of(metadata)
    for position, wanted in enumerate(request.outputs):
        if wanted.name not in known:
            message = f"is not an output of this model; outputs: {', '.join(known)}"
            raise InvalidRows((FieldProblem(f"outputs[{position}].name", message),))
    wanted_outputs = request.outputs or tuple(
        Wanted(output.name, request.binary) for output in known.values() if output.by_default
    )
    return [(known[wanted.name], wanted.binary) for wanted in wanted_outputs]


def _label_datatype(classes: tuple[str | int | bool, ...]) -> Datatype:
    kinds = {type(label) for label in classes}
    return BOOL if kinds == {bool} else INT64 if kinds == {int} else BYTES
