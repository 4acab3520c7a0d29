"""A compiled graph with weights of eight bits."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from deployments.contracts.package import QUANTIZED
from deployments.runtime import columns as columnar
from deployments.runtime import edge_rows
from deployments.runtime.compiled import CompiledModel
from training import parity
from training.fitting import Subject
from training.served_model import ServedModel
from training.variants.candidate import Candidate, NotMade

WHOLE_RANGE = 1.0
"""Scores may differ by anything: what decides about a quantized graph is the loss of quality."""


def make(original: ServedModel, subject: Subject) -> Candidate:
    """Quantize the graph of a model dynamically: weights now, what flows through it while it answers.

    Raises:
        NotMade: There is no graph, it has no weights of that kind, or it fails.
    """
    if original.graph is None:
        raise NotMade(f"there is no graph to quantize: {original.parity.reason}")
    graph = _quantized(original.graph)
    compiled = CompiledModel(graph, row_by_row=True)
    rows = columnar.from_frame(subject.data.validation.features, subject.schema)
    outcome = parity.compare(
        original.scorer,
        compiled,
        edge_rows.beside(rows, subject.schema),
        original.model.task,
        original.model.threshold,
        WHOLE_RANGE,
    )
    if outcome.max_difference is None:
        raise NotMade(f"quantized, {outcome.reason}")
    served = dataclasses.replace(
        original,
        scorer=compiled,
        graph=graph,
        parity=outcome.model_copy(update={"reason": ""}),
        variant=QUANTIZED,
    )
    return Candidate(
        served, f"eight bits, scores of held-out and edge rows move by up to {outcome.max_difference:.2g}"
    )


def _quantized(graph: bytes) -> bytes:
    import onnx
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    model = onnx.ModelProto.FromString(graph)
    kinds = sorted({node.op_type for node in model.graph.node})
    add_pre_process_metadata(model)  # otherwise it recommends that, through the root logger
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "quantized.onnx"
        # Types behind operators of ai.onnx.ml are not inferred; ours are all single precision.
        quantize_dynamic(model, file, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
        made = onnx.load(file)
    if not any(_is_narrow_matrix(weights) for weights in made.graph.initializer):
        raise NotMade(f"no part of its graph has weights that can be quantized; it has {', '.join(kinds)}")
    content: bytes = made.SerializeToString()
    return content


def _is_narrow_matrix(weights: Any) -> bool:
    from onnx import TensorProto

    return len(weights.dims) > 1 and weights.data_type in (TensorProto.INT8, TensorProto.UINT8)
