"""Requests as rows of columns, whole columns at a time: this holds the interpreter that answers callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # at its first use it would hold the interpreter for 0.2 s
from numpy.typing import NDArray

from deployments.contracts import metric_names
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.request_record import RequestRecord
from deployments.contracts.wire import Floats
from deployments.prediction_log.columns import PREDICTION_COLUMNS, encrypted, feature_field
from deployments.prediction_log.personal_data import PersonalDataKeys

Numbered = tuple[int, RequestRecord]
"""A request with its sequence number."""


def served_by(record: RequestRecord) -> str:
    """What the column ``version`` says: the version that answered, or ``none``."""
    return record.decision.served_version or metric_names.NO_VERSION


def batch(requests: Sequence[Numbered], gateway: str, keys: PersonalDataKeys | None) -> pa.RecordBatch:
    """Rows of requests.

    Args:
        requests: Of one model, version and feature schema.
        gateway: Identity of the gateway's incarnation.
        keys: For personal data; without them it is left out.
    """
    records = [record for _, record in requests]
    lengths = np.array([len(record.prediction_ids) for record in records])
    first = records[0]
    scores = _scores(records, lengths)
    arrays = {
        **_identity(requests, lengths, gateway),
        **_decision(records, lengths, keys),
        **_course(records, lengths),
        **_outcome(scores, first.metadata),
    }
    fields = [*PREDICTION_COLUMNS, *(feature_field(feature) for feature in first.schema.features)]
    features = _features(records, first.schema, int(lengths.sum()), keys)
    schema = pa.schema(fields)
    return pa.record_batch([arrays[name] for name in PREDICTION_COLUMNS.names] + features, schema=schema)


def _identity(requests: Sequence[Numbered], lengths: NDArray[Any], gateway: str) -> dict[str, pa.Array]:
    records = [record for _, record in requests]
    total = int(lengths.sum())
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    began = np.array([record.began for record in records])
    milliseconds = np.repeat((began * 1000).astype("int64"), lengths)
    return {
        "prediction_id": pa.array(
            list(chain.from_iterable(record.prediction_ids for record in records)), pa.string()
        ),
        "timestamp": pa.array(milliseconds).cast(PREDICTION_COLUMNS.field("timestamp").type),
        "model": pa.repeat(records[0].model, total),
        "version": pa.repeat(served_by(records[0]), total),
        "gateway": pa.repeat(gateway, total),
        "sequence": pa.array(np.repeat(np.array([sequence for sequence, _ in requests]), lengths)),
        "row": pa.array((np.arange(total) - starts).astype("int32")),
    }


def _decision(
    records: Sequence[RequestRecord], lengths: NDArray[Any], keys: PersonalDataKeys | None
) -> dict[str, pa.Array]:
    spread = _spread(lengths)
    decisions = [record.decision for record in records]
    units = [None if keys is None or d.unit is None else keys.pseudonym(d.unit) for d in decisions]
    return {
        "assigned_version": spread([d.assigned_version for d in decisions], pa.string()),
        "reason": spread([d.reason for d in decisions], pa.string()),
        "rule": spread([d.rule for d in decisions], pa.string()),
        "propensity": spread([d.propensity for d in decisions], pa.float64()),
        "experiment": spread([d.experiment for d in decisions], pa.string()),
        "policy_epoch": spread([d.policy_epoch for d in decisions], pa.int64()),
        "failover": spread([d.failover for d in decisions], pa.string()),
        "unit": spread(units, pa.string()),
    }


def _course(records: Sequence[RequestRecord], lengths: NDArray[Any]) -> dict[str, pa.Array]:
    spread = _spread(lengths)
    errors: list[str | None] = [None] * int(lengths.sum())
    for start, record in zip(np.cumsum(lengths) - lengths, records, strict=True):
        for position, reason in record.row_errors.items():
            errors[start + position] = reason
    return {
        "endpoint": spread([record.endpoint for record in records], pa.string()),
        "stage": spread([record.stage for record in records], pa.string()),
        "caller": spread([record.caller for record in records], pa.string()),
        "latency_ms": spread([record.latency_seconds * 1000 for record in records], pa.float64()),
        "model_ms": spread([record.model_seconds * 1000 for record in records], pa.float64()),
        "attempts": spread([record.attempts for record in records], pa.int32()),
        "path": spread([record.path for record in records], pa.string()),
        "outcome": spread([record.outcome for record in records], pa.string()),
        "error": pa.array(errors, pa.string()),
    }


def _scores(records: Sequence[RequestRecord], lengths: NDArray[Any]) -> Floats:
    """Scores of every row; NaN where there is none."""
    width = next((record.scores.shape[1] for record in records if record.scores is not None), 1)
    return np.concatenate(
        [
            np.full((length, width), np.nan) if record.scores is None else record.scores
            for record, length in zip(records, lengths, strict=True)
        ]
    )


def _outcome(scores: Floats, metadata: ModelMetadata) -> dict[str, pa.Array]:
    """What the scores mean, as the gateway tells it to its callers."""
    rows, width = scores.shape
    missing: NDArray[np.bool_] = np.logical_not(np.isfinite(scores).all(axis=1))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    arrays = {"scores": pa.ListArray.from_arrays(offsets, pa.array(scores.ravel()), mask=pa.array(missing))}
    if metadata.targets:
        texts = np.array(metadata.target_texts(scores), dtype=object)
        predicted = pa.array(texts, pa.string(), mask=missing)
        return {**arrays, "prediction": predicted, "probability": pa.nulls(rows, pa.float64())}
    if metadata.task is Task.REGRESSION:
        values = pa.array(scores[:, 0], mask=missing)
        return {**arrays, "prediction": pc.cast(values, pa.string()), "probability": pa.nulls(rows, pa.float64())}
    if missing.all():
        return {**arrays, "prediction": pa.nulls(rows, pa.string()), "probability": pa.nulls(rows, pa.float64())}
    known = np.where(missing[:, None], 0.0, scores)
    best = metadata.positions_of_labels(known)
    predicted = pa.array(metadata.class_texts).take(pa.array(best, mask=missing))
    probability = pa.array(known[np.arange(rows), best], mask=missing)
    return {**arrays, "prediction": predicted, "probability": probability}


def _features(
    records: Sequence[RequestRecord], schema: FeatureSchema, rows: int, keys: PersonalDataKeys | None
) -> list[pa.Array]:
    flat = list(chain.from_iterable(record.numbers for record in records))
    numbers = np.array(flat, dtype=np.float64).reshape(rows, len(schema.numeric))
    texts = list(chain.from_iterable(record.texts for record in records))
    width = len(schema.textual)
    if len(texts) != rows * width:
        raise ValueError(f"{len(texts)} texts for {rows} rows of {width} textual features")
    columns = {
        **{f.name: _numeric(f, numbers[:, place], keys) for place, f in enumerate(schema.numeric)},
        **{f.name: _textual(f, texts[place::width], keys) for place, f in enumerate(schema.textual)},
    }
    return [columns[feature.name] for feature in schema.features]


def _numeric(feature: Feature, values: Floats, keys: PersonalDataKeys | None) -> pa.Array:
    boolean = feature.kind is FeatureKind.BOOLEAN
    missing = np.isnan(values)
    column = pa.array(values != 0 if boolean else values, mask=missing)
    return encrypted(column.to_pylist(), keys) if feature.pii else column


def _textual(feature: Feature, values: list[str | None], keys: PersonalDataKeys | None) -> pa.Array:
    return encrypted(values, keys) if feature.pii else pa.array(values, pa.string())


def _spread(lengths: NDArray[Any]) -> Callable[[Sequence[object], pa.DataType], pa.Array]:
    """From one value a request to one value a row."""
    if (lengths == 1).all():
        return lambda values, kind: pa.array(values, kind)
    places = pa.array(np.repeat(np.arange(len(lengths)), lengths))

    def column(values: Sequence[object], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(places)

    return column
