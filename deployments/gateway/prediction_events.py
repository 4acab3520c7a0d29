"""A sample of predictions in the process's own log, for those who follow it; the prediction log has them all."""

from __future__ import annotations

import logging

from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.contracts.package import Task
from deployments.contracts.prediction import Prediction
from deployments.contracts.request_record import FeedbackRecord, RequestRecord, Stage
from deployments.gateway.request_log import Records
from deployments.logs.json_lines import event
from deployments.prediction_log.writer import is_sampled

EVENT = "prediction"
PERSONAL = "[personal data]"
"""In the place of a value that is marked as personal data."""
_log = logging.getLogger("raygate.prediction")


class PredictionEvents:
    """Writes a line for some of the requests, and hands all of them on.

    Args:
        share: Of the requests that are remembered, 0 to 1; of each the first row is shown.
        behind: Where records go afterwards; None keeps none.
    """

    def __init__(self, share: float, behind: Records | None) -> None:
        self._share, self._behind = share, behind

    def record(self, record: RequestRecord) -> None:
        """Remember a request."""
        if record.stage is Stage.LIVE and is_sampled(record.prediction_ids[0], self._share):
            _log.info("%s answered %s", record.model, record.outcome, extra=event(EVENT, **fields(record)))
        if self._behind is not None:
            self._behind.record(record)

    def feedback(self, record: FeedbackRecord) -> bool:
        """Remember feedback; whether it was taken."""
        return self._behind is None or self._behind.feedback(record)


def fields(record: RequestRecord) -> dict[str, object]:
    """What the line says of a request: its first row, with personal data left out."""
    return {
        "model_id": record.endpoint,
        "model_version": record.decision.served_version or record.decision.assigned_version,
        "prediction_id": record.prediction_ids[0],
        "rows": len(record.prediction_ids),
        "latency_ms": round(record.latency_seconds * 1000, 3),
        "outcome": record.outcome,
        "features": _features(record),
        "prediction": _prediction(record),
    }


def _features(record: RequestRecord) -> dict[str, object]:
    schema = record.schema
    # Values stand row after row, so the first ones are those of the first row.
    numbers = zip(schema.numeric, record.numbers, strict=False)
    texts = zip(schema.textual, record.texts, strict=False)
    shown = {feature.name: _number(feature, value) for feature, value in numbers}
    shown |= {feature.name: PERSONAL if feature.pii else text for feature, text in texts}
    return {feature.name: shown[feature.name] for feature in schema.features}


def _number(feature: Feature, value: float) -> object:
    if feature.pii:
        return PERSONAL
    if value != value:  # NaN is null
        return None
    return bool(value) if feature.kind is FeatureKind.BOOLEAN else value


def _prediction(record: RequestRecord) -> Prediction | None:
    """What the caller was told of the first row; None where nothing could be."""
    if record.scores is None or 0 in record.row_errors:
        return None
    metadata = record.metadata
    scores: list[float] = record.scores[0].tolist()
    if metadata.task is not Task.REGRESSION:
        return metadata.classes[metadata.position_of_label(scores)]
    return dict(zip(metadata.targets, scores, strict=True)) if metadata.targets else scores[0]
