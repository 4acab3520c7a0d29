"""Requests with known answers: the rows in a version's package, and what the package's own model says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deployments.client import Client, ClientError
from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import ModelMetadata
from deployments.contracts.prediction import Prediction, RowPrediction
from deployments.runtime.model_store import ModelStore
from ray_apps.local import first_predictions, local_key
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from deployments.contracts.wire import Floats

ROWS = 20
TOLERANCE = 1e-6
"""Of a probability or a value: JSON and another machine cost the last digits."""
_SHOWN = 3


class SmokeTestsFailed(RaygateError):
    """A version does not answer as its package says."""

    def __init__(self, version: str, rows: int, problems: tuple[str, ...]) -> None:
        super().__init__(version, rows, problems)
        self.version, self.rows, self.problems = version, rows, problems

    def __str__(self) -> str:
        shown = "; ".join(self.problems[:_SHOWN])
        return f"{self.version}: {len(self.problems)} of {self.rows} smoke tests failed: {shown}"


def run(settings: Settings, endpoint: str, version: ModelVersion) -> int:
    """Send the rows of a version's package to the running stack, pinned to that version.

    Returns:
        How many were answered as they should be: all of them.

    Raises:
        PackageNotFound: The file store does not hold the version.
        SmokeTestsFailed: A row is answered otherwise, or not at all.
    """
    expected = expected_answers(settings, version)
    rows = first_predictions.sample_rows(settings.models, version, len(expected))
    key = settings.api_key or local_key.read(settings.key_file)
    try:
        with Client(settings.api_url, api_key=key) as client:
            answered = client.predict(endpoint, rows, model_version=str(version.version)).predictions
    except ClientError as error:
        raise SmokeTestsFailed(str(version), len(rows), (str(error),) * len(rows)) from error
    problems = tuple(differences(expected, answered))
    if problems:
        raise SmokeTestsFailed(str(version), len(rows), problems)
    return len(rows)


def expected_answers(settings: Settings, version: ModelVersion) -> list[tuple[Prediction, float | None]]:
    """What a version's package says of its first rows, computed here: prediction, and probability of a label.

    Raises:
        PackageNotFound: The file store does not hold the version.
        PackageRejected: It was changed, or nobody vouches for it who is believed.
    """
    from deployments.runtime.predictor import Predictor  # here, because it loads the inference runtime

    loaded = ModelStore(settings.models, settings.signers).load(version.model, version.version)
    predictor = Predictor(loaded)
    scores = predictor.predict(predictor.sample(ROWS)).scores
    return [_answer(loaded.metadata, row) for row in scores]


def differences(
    expected: Sequence[tuple[Prediction, float | None]], answered: Sequence[RowPrediction]
) -> Iterator[str]:
    """Rows that are answered otherwise, a sentence each."""
    for position, ((prediction, probability), got) in enumerate(zip(expected, answered, strict=True)):
        if got.error is not None:
            yield f"row {position} is not answered: {got.error.error}"
        elif not _same(prediction, got.prediction):
            yield f"row {position} is {prediction} by its package, {got.prediction} as served"
        elif not _same(probability, got.probability):
            yield f"row {position} has the probability {probability} by its package, {got.probability} as served"


def _answer(metadata: ModelMetadata, scores: Floats) -> tuple[Prediction, float | None]:
    row = [float(score) for score in scores]
    if metadata.classes:
        position = metadata.position_of_label(row)
        return metadata.classes[position], row[position]
    return (dict(zip(metadata.targets, row, strict=True)), None) if metadata.targets else (row[0], None)


def _same(expected: Prediction | None, got: Prediction | None) -> bool:
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(_same(expected[name], got[name]) for name in expected)
    if isinstance(expected, float) and isinstance(got, int | float):
        return math.isclose(expected, got, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return expected == got
