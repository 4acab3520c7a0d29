"""Requests and feedback as a gateway would remember them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage

NOON = datetime(2024, 11, 21, 12, 0, 5, tzinfo=UTC).timestamp()
SCHEMA = FeatureSchema(
    features=(
        Feature(name="Income", kind=FeatureKind.NUMBER, nullable=True),
        Feature(name="Job", kind=FeatureKind.CATEGORY, nullable=True, categories=("fixed", "freelance")),
        Feature(name="Owner", kind=FeatureKind.BOOLEAN),
        Feature(name="Age", kind=FeatureKind.NUMBER, pii=True),
        Feature(name="Note", kind=FeatureKind.TEXT, nullable=True, pii=True),
    )
)
METADATA = ModelMetadata(
    model="credit_risk",
    version=Version(1, 0, 0),
    task=Task.BINARY,
    classes=("good", "bad"),
    threshold=0.3,
    path=InferencePath.COMPILED,
    parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
    family="lightgbm",
    created=datetime(2024, 11, 1, tzinfo=UTC),
)


def prediction_id(moment: float, number: int) -> str:
    """A UUIDv7 of a moment; the number keeps ids of one millisecond apart."""
    return str(UUID(int=(int(moment * 1000) << 80) | (7 << 76) | (2 << 62) | number))


def request(
    number: int = 0,
    *,
    began: float = NOON,
    rows: int = 1,
    version: str = "1.0.0",
    model: str = "credit_risk",
    unit: str | None = "alice",
    stage: Stage = Stage.LIVE,
    schema: FeatureSchema = SCHEMA,
    **changes: object,
) -> RequestRecord:
    """A request whose values tell its number."""
    fields: dict[str, object] = {
        "endpoint": model.replace("_", "-"),
        "model": model,
        "stage": stage,
        "decision": Decision("1.0.0", version, "sticky", 0.9, 3, unit=unit),
        "caller": "shop",
        "began": began,
        "latency_seconds": 0.012,
        "model_seconds": 0.002,
        "attempts": 1,
        "path": "compiled",
        "outcome": "OK",
        "prediction_ids": [prediction_id(began, number * 1000 + row) for row in range(rows)],
        "schema": schema,
        "metadata": METADATA,
        "numbers": [value for row in range(rows) for value in (number + row, True, 30 + row)],
        "texts": [value for row in range(rows) for value in ("fixed", f"note {row}")],
        "scores": np.array([[0.6, 0.4]] * rows),
    }
    return RequestRecord(**{**fields, **changes})  # type: ignore[arg-type]


def feedback(number: int = 0, *, of: str = "", received: float = NOON + 60, **changes: object) -> FeedbackRecord:
    """Feedback on a prediction."""
    fields: dict[str, object] = {
        "prediction_id": of or prediction_id(NOON, number * 1000),
        "label": "bad",
        "value": None,
        "received": received,
        "feedback_id": f"feedback-{number}",
    }
    return FeedbackRecord(**{**fields, **changes})  # type: ignore[arg-type]
