"""The compiled path: the whole pipeline as one ONNX graph, in the calling thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from deployments.contracts.wire import Columns, Floats
from deployments.runtime import columns as columnar
from deployments.runtime.null_text import NULL_TEXT

NUMERIC_INPUT = "numeric"
"""float32 (n, number of numeric features); a null is NaN."""
TEXTUAL_INPUT = "textual"
"""string (n, number of textual features); a null is ``NULL_TEXT``."""
SCORES_OUTPUT = "scores"
"""float (n, k) in the order of the metadata's classes; (n, targets) for a regression."""

_OUTPUTS = [SCORES_OUTPUT]
_LARGEST = float(np.finfo(np.float32).max)


class CompiledModel:
    """Scores from a graph with one tensor for all numbers and one for all texts.

    Two inputs, because each further one costs more than the model itself on a single row.

    Args:
        graph: The serialised ONNX graph; its tensors have the order of the schema's numeric and textual features.
        row_by_row: For a quantized graph, which scales all rows of a call by the largest number among them: a
            row's score would depend on its neighbours, and those are other callers' rows.
    """

    def __init__(self, graph: bytes, row_by_row: bool = False) -> None:
        self._session = onnxruntime.InferenceSession(graph, _options(), providers=["CPUExecutionProvider"])
        wanted = {entry.name for entry in self._session.get_inputs()}
        self._takes_numbers = NUMERIC_INPUT in wanted
        self._takes_texts = TEXTUAL_INPUT in wanted
        self._row_by_row = row_by_row

    def predict(self, columns: Columns) -> Floats:
        """Return float64 (n, k) scores.

        Raises:
            Exception: What onnxruntime raises; then no row has a score.
        """
        if self._row_by_row and len(columns) > 1:
            return np.concatenate([self.predict(columnar.take(columns, [row])) for row in range(len(columns))])
        feed: dict[str, Any] = {}
        if self._takes_numbers:
            feed[NUMERIC_INPUT] = _numbers(columns)
        if self._takes_texts:
            feed[TEXTUAL_INPUT] = _texts(columns)
        scores: NDArray[Any] = self._session.run(_OUTPUTS, feed)[0]
        return scores.astype(np.float64)


def _numbers(columns: Columns) -> NDArray[np.float32]:
    # What float32 cannot hold saturates; it would be infinite, and many a model makes NaN of that.
    numbers = np.minimum(np.maximum(columns.numeric, -_LARGEST), _LARGEST).astype(np.float32)
    if not columns.valid.all():
        numbers[~columns.valid] = np.nan
    return numbers


def _texts(columns: Columns) -> NDArray[np.object_]:
    textual = [
        [NULL_TEXT if text is None else text for text in column] if None in column else column
        for column in columns.textual
    ]
    return np.ascontiguousarray(np.array(textual, dtype=object).T)  # which onnxruntime reads faster


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
