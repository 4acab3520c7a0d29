"""Scores as columns: label, probability, version, id, explanation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from deployments.batch.assignment import PROPENSITY, REASON
from deployments.batch.row_check import RowCheck
from deployments.contracts import labels
from deployments.contracts.explanations import MAX_EXPLAINED_ROWS
from deployments.contracts.model_version import Version
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.traffic_policy import Documents
from deployments.contracts.wire import Columns, Floats
from deployments.documents.document_model import DocumentModel
from deployments.runtime import columns as columnar
from deployments.runtime import package
from deployments.runtime.explanations.explainer import Explainer
from deployments.runtime.predictor import Predictor, Scored
from deployments.runtime.signature import TrustedKeys

PREDICTION, PROBABILITY = "prediction", "probability"
MODEL_VERSION, PREDICTION_ID = "model_version", "prediction_id"
EXPLANATION = "explanation"
"""The document of ``return_explanations`` as JSON."""
ANSWER = "document_answer"
"""What the post-transformer made, as JSON, where the rows are documents."""
ADDED_COLUMNS = (PREDICTION, PROBABILITY, MODEL_VERSION, PREDICTION_ID, EXPLANATION, ANSWER, REASON, PROPENSITY)
"""Names that no column of an input may have."""


class VersionScorer:
    """One version: its package, loaded and verified, and what it needs to score tables.

    Args:
        version: Number of the version.
        directory: Of its package.
        digest: That the package must have.
        explains: Whether it will be asked for explanations.
        documents: Transformers of the package, where rows are documents; None where they are features.
        trusted: Keys of which one must have signed it; None asks for no signature.

    Raises:
        PackageNotFound: There is none.
        PackageRejected: It is another one.
        TransformerUnusable: It has no such transformers.
    """

    def __init__(
        self,
        version: Version,
        directory: Path,
        digest: str,
        explains: bool,
        documents: Documents | None = None,
        trusted: TrustedKeys | None = None,
    ) -> None:
        self.text = str(version)
        self.package = package.load(directory, digest, trusted)
        self.row_check = RowCheck(self.package.schema)
        self.predictor = Predictor(self.package)
        self.documents: DocumentModel | None = None
        if documents is not None:
            self.documents = DocumentModel.load(self.predictor, documents.pre, documents.post)
        self._explainer = Explainer(self.predictor) if explains else None

    @property
    def metadata(self) -> ModelMetadata:
        """How its scores are to be read."""
        return self.package.metadata

    def score(self, columns: Columns) -> Scored:
        """Scores of rows that fit the schema."""
        return self.predictor.predict(columns)

    def explanations(self, columns: Columns, scores: Floats, returned: NDArray[np.intp]) -> pa.Array:
        """One JSON document a row; null where the model has none.

        Args:
            columns: The rows.
            scores: Theirs.
            returned: Positions of their labels.
        """
        assert self._explainer is not None, "explanations were not asked for when the scorer was made"
        documents: list[str | None] = []
        for begin in range(0, len(columns), MAX_EXPLAINED_ROWS):
            end = min(begin + MAX_EXPLAINED_ROWS, len(columns))
            part = columnar.take(columns, slice(begin, end))
            found = self._explainer.explain(part, range(end - begin), scores[begin:end], math.inf)
            for row in range(end - begin):
                one = found.explained.get(row)
                document = one and one.document(self.package.schema, self.metadata, int(returned[begin + row]))
                documents.append(None if document is None else orjson.dumps(document).decode())
        return pa.array(documents, pa.string())


def answer_columns(
    scores: Floats, returned: NDArray[np.intp], metadata: ModelMetadata
) -> tuple[pa.Array, pa.Array]:
    """Columns of predictions and of their probabilities, which a regression has not.

    The values of several targets are one JSON object, as in the prediction log.

    Args:
        scores: Of n rows.
        returned: Positions of their labels.
        metadata: How the scores are to be read.
    """
    if metadata.targets:
        return pa.array(metadata.target_texts(scores), pa.string()), pa.nulls(len(scores), pa.float64())
    if metadata.task is Task.REGRESSION:
        return pa.array(scores[:, 0]), pa.nulls(len(scores), pa.float64())
    classes = label_array(metadata.classes)
    return classes.take(pa.array(returned)), pa.array(scores[np.arange(len(scores)), returned])


def label_array(classes: Sequence[str | int | bool]) -> pa.Array:
    """The classes as one column: of their own type, or of texts if they are of several."""
    kinds = {type(label) for label in classes}
    return pa.array(classes) if len(kinds) == 1 else pa.array(list(map(labels.text, classes)))
