"""What a model package holds and says of itself.

A package is a directory: an MLflow model (``MLmodel``, ``model.pkl``, ``requirements.txt``, ...) plus these files.
``manifest.json`` lists every file with its SHA-256; the digest of the package is the SHA-256 of the manifest.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from deployments.contracts import labels
from deployments.contracts.model_version import Version

MANIFEST = "manifest.json"
SCHEMA = "feature_schema.json"
METADATA = "model_metadata.json"
REFERENCE_PROFILE = "reference_profile.json"
REFERENCE_SAMPLE = "reference_sample.parquet"
COMPILED_GRAPH = "compiled.onnx"
NATIVE_MODEL = "model.pkl"
QUANTIZED = "quantized"
"""The variant whose graph has weights of eight bits."""
CODE = "transformers"
"""Directory of the Python modules that an endpoint's transformers come from; most packages have none."""


class Task(StrEnum):
    """What kind of question the model answers."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class RiskTier(StrEnum):
    """How much harm a wrong answer may do."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    """A person approves it before it gets production traffic."""


class InferencePath(StrEnum):
    """Which of the package's two implementations answers."""

    COMPILED = "compiled"
    """The whole pipeline as an ONNX graph."""
    NATIVE = "native"
    """The pickled pipeline itself."""


class Parity(BaseModel):
    """How far the compiled graph is from the pipeline, on the validation rows and on edge rows.

    Attributes:
        rows: Rows compared.
        max_difference: Largest absolute difference of a score (for a regression: relative to the target's range).
            Of a quantized graph: from the graph that it was made from.
        label_flips: Rows whose label differs.
        tolerance: What was allowed for ``max_difference``; no label may flip, unless the graph is quantized.
        reason: Empty if the graph is served, else why the native path is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    max_difference: float | None
    label_flips: int
    tolerance: float
    reason: str = ""


CALIBRATION_ERROR = "calibration_error"
"""Name of the metric that says how far probabilities are from shares: estimates from scores hang on it."""


class ModelMetadata(BaseModel):
    """Where a model comes from and how it is to be read.

    Attributes:
        model: Model name.
        version: Version number.
        task: Binary, multi-class or regression.
        classes: Labels in the order of the score columns; empty for a regression.
        targets: Names of the quantities in the order of the score columns, if a regression predicts several.
        threshold: Binary only: the second class is returned when its probability is at least this.
        path: The path that is served: frozen at packaging time.
        parity: Comparison of the two paths.
        variant: What was done to the trained model to make it smaller (``quantized``, ``pruned``, ``distilled``);
            empty for nothing. Frozen at packaging time, too.
        family: Such as ``logistic_regression`` or ``lightgbm``; the estimator's class for a brought-in model.
        metrics: Evaluation on the test split, by the served path.
        parameters: Hyperparameters.
        data_fingerprint: SHA-256 of the training data's content; of a brought-in model, of its sample's.
        data_version: Which version of its source they were, such as a Git commit or the version of a Delta table;
            empty if the source keeps none.
        code_version: Git commit of the training code, with ``-dirty`` if it was changed; of a brought-in model, of
            the code that packaged it. Empty where nobody knows.
        created: UTC.
        libraries: Versions of the libraries that matter for loading.
        risk_tier: How much harm a wrong answer may do; None where nobody said.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    version: Version
    task: Task
    classes: tuple[str | int | bool, ...] = ()
    targets: tuple[str, ...] = ()
    threshold: float = 0.5
    path: InferencePath
    parity: Parity
    variant: str = ""
    family: str
    metrics: dict[str, float] = {}
    parameters: dict[str, str | int | float | bool | None] = {}
    data_fingerprint: str = ""
    data_version: str = ""
    code_version: str = ""
    created: datetime
    libraries: dict[str, str] = {}
    risk_tier: RiskTier | None = None

    @property
    def width(self) -> int:
        """Scores a row."""
        return len(self.classes) or len(self.targets) or 1

    @property
    def class_texts(self) -> tuple[str, ...]:
        """The labels as JSON keys and metric labels."""
        return tuple(map(labels.text, self.classes))

    def position_of_label(self, scores: list[float]) -> int:
        """Position of the returned label among the classes; 0 for a regression."""
        return 0 if self.task is Task.REGRESSION else labels.position(scores, self.threshold)

    def positions_of_labels(self, scores: NDArray[np.float64]) -> NDArray[np.intp]:
        """Position of each row's returned label among the classes; 0 for a regression."""
        if self.task is Task.REGRESSION:
            return np.zeros(len(scores), dtype=np.intp)
        return labels.positions(scores, self.threshold)

    def target_texts(self, scores: NDArray[np.float64]) -> list[str]:
        """Each row's values of several targets as a JSON object: not every column can nest."""
        return [labels.text(dict(zip(self.targets, row, strict=True))) for row in scores.tolist()]


class Manifest(BaseModel):
    """Every file of a package with its hash: what its digest stands for.

    Attributes:
        layout: Version of this layout.
        model: Model name.
        version: Version number.
        schema_fingerprint: Of the feature schema.
        files: SHA-256 (hex) by path relative to the package, manifest excluded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: int = Field(default=1, ge=1, le=1)
    model: str
    version: Version
    schema_fingerprint: str
    files: dict[str, str]
