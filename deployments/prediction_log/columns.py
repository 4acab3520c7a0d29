"""Columns of the log's two tables, and how a feature's value becomes a column."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import pyarrow as pa

from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.prediction_log.personal_data import PersonalDataKeys

FEATURE_PREFIX = "feature."
ENCRYPTED = b"raygate.encrypted"
"""Field metadata of a column of tokens; its value is the kind (``FeatureKind``) of what they hold."""

YIELD_VALUES = 32
YIELD_SECONDS = 0.0005
"""A pause after so many encryptions, about a millisecond: it hands the interpreter over to the event loop."""

_MOMENT = pa.timestamp("ms", "UTC")

PREDICTION_COLUMNS = pa.schema(
    {
        "prediction_id": pa.string(),
        "timestamp": _MOMENT,
        "endpoint": pa.string(),
        "model": pa.string(),
        "version": pa.string(),
        "assigned_version": pa.string(),
        "stage": pa.string(),
        "reason": pa.string(),
        "rule": pa.string(),
        "propensity": pa.float64(),
        "experiment": pa.string(),
        "policy_epoch": pa.int64(),
        "unit": pa.string(),
        "failover": pa.string(),
        "caller": pa.string(),
        "gateway": pa.string(),
        "sequence": pa.int64(),
        "row": pa.int32(),
        "latency_ms": pa.float64(),
        "model_ms": pa.float64(),
        "attempts": pa.int32(),
        "path": pa.string(),
        "outcome": pa.string(),
        "error": pa.string(),
        "prediction": pa.string(),
        "probability": pa.float64(),
        "scores": pa.list_(pa.float64()),
    }
)
"""Then come ``feature.<name>`` columns, those of the feature schema that the row was validated with."""

FEEDBACK_COLUMNS = pa.schema(
    {
        "feedback_id": pa.string(),
        "prediction_id": pa.string(),
        "received": _MOMENT,
        "label": pa.string(),
        "value": pa.float64(),
        "caller": pa.string(),
        "endpoint": pa.string(),
        "version": pa.string(),
        "gateway": pa.string(),
        "sequence": pa.int64(),
    }
)


def feature_field(feature: Feature) -> pa.Field:
    """The column of a feature: float64, bool or string; tokens (string) where it is personal data."""
    name = FEATURE_PREFIX + feature.name
    if feature.pii:
        return pa.field(name, pa.string(), metadata={ENCRYPTED: feature.kind.value.encode()})
    if feature.kind is FeatureKind.NUMBER:
        return pa.field(name, pa.float64())
    return pa.field(name, pa.bool_() if feature.kind is FeatureKind.BOOLEAN else pa.string())


def encrypted(values: Sequence[float | bool | str | None], keys: PersonalDataKeys | None) -> pa.Array:
    """Tokens of a column's values; without keys nothing of them is kept."""
    if keys is None:
        return pa.nulls(len(values), pa.string())
    tokens: list[str | None] = []
    for position, value in enumerate(values, 1):
        text = value if isinstance(value, str) else json.dumps(value)
        tokens.append(None if value is None else keys.encrypt(text))
        if position % YIELD_VALUES == 0:
            time.sleep(YIELD_SECONDS)
    return pa.array(tokens, pa.string())


def decrypted(table: pa.Table, keys: PersonalDataKeys) -> pa.Table:
    """The table with values in place of tokens.

    Raises:
        InvalidPersonalDataKey: A value was encrypted with a key that is not among them.
    """
    for position, field in enumerate(table.schema):
        kind = (field.metadata or {}).get(ENCRYPTED)
        if kind is None:
            continue
        texts = [None if token is None else keys.decrypt(token) for token in table[position].to_pylist()]
        clear = feature_field(
            Feature(name=field.name.removeprefix(FEATURE_PREFIX), kind=FeatureKind(kind.decode()))
        )
        values = texts if pa.types.is_string(clear.type) else [text and json.loads(text) for text in texts]
        table = table.set_column(position, clear, pa.array(values, clear.type))
    return table


def reencrypted(table: pa.Table, keys: PersonalDataKeys) -> pa.Table:
    """The table with every token under the first key.

    Raises:
        InvalidPersonalDataKey: A value was encrypted with a key that is not among them.
    """
    for position, field in enumerate(table.schema):
        if ENCRYPTED in (field.metadata or {}):
            tokens = [None if token is None else keys.reencrypt(token) for token in table[position].to_pylist()]
            table = table.set_column(position, field, pa.array(tokens, pa.string()))
    return table
