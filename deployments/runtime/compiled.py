"""The compiled path: the whole pipeline as one ONNX graph, in the calling thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.wire import Columns, Floats
from deployments.runtime.null_text import NULL_TEXT

NUMERIC_INPUT = "numeric"
"""float32 (n, number of numeric features); a null is NaN."""
TEXTUAL_INPUT = "textual"
"""string (n, number of textual features); a null is ``NULL_TEXT``."""
SCORES_OUTPUT = "scores"
"""float (n, k) in the order of the metadata's classes; (n, 1) for a regression."""


class CompiledModel:
    """Scores from a graph with one tensor for all numbers and one for all texts.

    Two inputs, because each further one costs more than the model itself on a single row.

    Args:
        graph: The serialised ONNX graph.
        schema: The features in the order of the graph's tensors.
    """

    def __init__(self, graph: bytes, schema: FeatureSchema) -> None:
        self._session = onnxruntime.InferenceSession(graph, _options(), providers=["CPUExecutionProvider"])
        wanted = {entry.name for entry in self._session.get_inputs()}
        self._takes_numbers = NUMERIC_INPUT in wanted
        self._takes_texts = TEXTUAL_INPUT in wanted
        self._textual = len(schema.textual)

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k) scores.

        Raises:
            Exception: What onnxruntime raises; then no row has a score.
        """
        feed: dict[str, Any] = {}
        if self._takes_numbers:
            feed[NUMERIC_INPUT] = _numbers(columns)
        if self._takes_texts:
            feed[TEXTUAL_INPUT] = _texts(columns, self._textual)
        (scores,) = self._session.run([SCORES_OUTPUT], feed)
        return np.asarray(scores, dtype=np.float64)


def _numbers(columns: Columns) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite there: the predictor asks the native path then
        numbers = columns.numeric.astype(np.float32)
    if not columns.valid.all():
        numbers[~columns.valid] = np.nan
    return numbers


def _texts(columns: Columns, width: int) -> NDArray[np.object_]:
    texts = np.empty((len(columns), width), dtype=object)
    for position, column in enumerate(columns.textual):
        texts[:, position] = [NULL_TEXT if text is None else text for text in column] if None in column else column
    return texts


def _options() -> onnxruntime.SessionOptions:
    """One thread and no pooled memory: a replica has one core, and rows come one to a few hundred at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False  # shapes change with every batch
    options.log_severity_level = 3
    return options
