"""A few real rows through the API, to see that the stack answers."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import TrafficNotApplied
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.package import REFERENCE_SAMPLE, SCHEMA
from deployments.runtime import document as documents
from deployments.runtime.model_store import ModelStore

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FirstPrediction:
    """One row and what came back.

    Attributes:
        features: The row that was sent.
        model_version: The version that answered.
        prediction: The label or value.
        probability: Of the label; None for a regression.
        latency_ms: As this client saw it, over one connection.
    """

    features: Row
    model_version: str
    prediction: Any
    probability: float | None
    latency_ms: float


def endpoint_and_stable(file: Path) -> tuple[str, ModelVersion]:
    """Name of an endpoint and its stable version, from its file.

    Raises:
        InvalidDocument: The file is not an endpoint file.
    """
    document = documents.read(file, ModelEndpoint)
    return document.name, ModelVersion(document.spec.model, document.spec.stable)


def sample_rows(models: Path, name: ModelVersion, count: int) -> list[Row]:
    """Rows that a version was trained with, as a caller would send them.

    Raises:
        PackageNotFound: The file store does not hold the version.
    """
    # Imported here: pandas takes a second that the other commands need not wait for.
    import pandas as pd

    directory = ModelStore(models).find(name.model, name.version)
    schema = FeatureSchema.model_validate_json((directory / SCHEMA).read_text())
    names = [feature.name for feature in schema.features]
    frame = pd.read_parquet(directory / REFERENCE_SAMPLE, columns=names).head(count)
    # Through JSON's own types: numpy's integers and booleans are none of them
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict(orient="records")]


def send(api_url: str, endpoint_name: str, rows: list[Row], headers: dict[str, str]) -> list[FirstPrediction]:
    """Send each row in a request of its own: the split decides for every one.

    Args:
        api_url: Base URL.
        endpoint_name: The ``model_id``.
        rows: What is sent.
        headers: The caller's credential.

    Raises:
        TrafficNotApplied: A row was not answered.
    """
    answers = []
    with httpx.Client(base_url=api_url, timeout=30.0, headers=headers) as client:
        for row in rows:
            began = time.perf_counter()
            try:
                answer = client.post("/api/v1/predict", json={"model_id": endpoint_name, "features": row})
            except httpx.HTTPError as error:
                raise TrafficNotApplied(f"{api_url}/api/v1/predict does not answer: {error}") from error
            elapsed_ms = (time.perf_counter() - began) * 1000
            if answer.is_error:
                raise TrafficNotApplied(
                    f"a sample row was answered with {answer.status_code}: {answer.text[:500]}"
                )
            said = answer.json()
            answers.append(
                FirstPrediction(
                    row, said["model_version"], said["prediction"], said.get("probability"), elapsed_ms
                )
            )
    return answers


def curl_line(api_url: str, endpoint_name: str, row: Row, credential: str) -> str:
    """A request that works when it is pasted into a shell.

    Args:
        api_url: Base URL.
        endpoint_name: The ``model_id``.
        row: What is sent.
        credential: Option of curl that sends the caller's credential, or empty.
    """
    body = json.dumps({"model_id": endpoint_name, "features": row}).replace("'", "'\\''")
    options = " ".join(option for option in (credential, "-H 'content-type: application/json'") if option)
    return f"curl -s {api_url}/api/v1/predict {options} -d '{body}'"


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (bool, int, float)) else _text_or_none(value)


def _text_or_none(value: Any) -> str | None:
    text = str(value)
    return None if text in ("<NA>", "NaT") else text
