"""What a monitor that has restarted missed of its sliding window, out of the prediction log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deployments.contracts.distributions import Distributions, FeatureCounts, PackageKey, reference_cells
from deployments.contracts.feature_schema import Feature, FeatureSchema
from deployments.contracts.request_record import Stage
from deployments.contracts.wire import PoolDescription
from deployments.gateway.distribution_counter import DistributionCounter
from deployments.gateway.row_validation import ValidatedRows
from deployments.prediction_log import sample
from deployments.prediction_log.columns import FEATURE_PREFIX
from monitoring.sliding import Point, Span


def points(
    uri: str, packages: Mapping[PackageKey, PoolDescription], until: datetime, at: float, span: Span
) -> list[Point]:
    """Count the rows of the span before a moment on the bins of their packages, step by step.

    Of many rows a uniform sample is counted. Personal data is encrypted in the log and is not counted.

    Args:
        uri: Root of the log.
        packages: What is served.
        until: The moment, UTC: from then on gateways tell their counts.
        at: The same moment on the monitor's monotonic clock.
        span: Length and step of the window.

    Returns:
        Oldest first; none if there is no row.

    Raises:
        StorageUnreachable: The log cannot be read.
        SegmentUnreadable: A segment of it is damaged.
    """
    steps = round(span.seconds / span.step_seconds)
    observed: defaultdict[int, dict[PackageKey, Distributions]] = defaultdict(dict)
    for key, described in packages.items():
        table = _rows(uri, key, described.schema, until - timedelta(seconds=span.seconds), until)
        if table.num_rows == 0:
            continue
        counter = DistributionCounter(_in_clear(described.schema), described.reference, described.metadata.task)
        begin = 0
        for step in range(1, steps + 1):
            end_of_step = until - timedelta(seconds=span.step_seconds * (steps - step))
            end = int(pc.sum(pc.less(table["timestamp"], _moment(table, end_of_step))).as_py() or 0)
            if end > begin:
                counter.add(*_answers(table.slice(begin, end - begin), described.schema))
            observed[step][key] = _with_encrypted(counter.counted().copy(), described)
            begin = end
    if not observed:
        return []
    first = Point(at - span.seconds, {})
    return [first, *(Point(at - span.step_seconds * (steps - step), observed[step]) for step in sorted(observed))]


def _rows(uri: str, key: PackageKey, schema: FeatureSchema, since: datetime, until: datetime) -> pa.Table:
    """Rows that a version answered to callers, in the order of their arrival."""
    model, version, _ = key
    features = [FEATURE_PREFIX + feature.name for feature in _in_clear(schema).features]
    columns = ["timestamp", "stage", "scores", *features]
    table = sample.draw(
        uri, model=model, version=version, since=since, until=until, columns=columns, where=_answered
    ).rows
    return table if set(columns) <= set(table.schema.names) else table.slice(0, 0)


def _answered(table: pa.Table) -> pa.Table:
    return table.filter(pc.and_(pc.equal(table["stage"], Stage.LIVE.value), pc.is_valid(table["scores"])))


def _answers(table: pa.Table, schema: FeatureSchema) -> tuple[ValidatedRows, Any]:
    """Rows and scores as a gateway would count them."""
    clear = _in_clear(schema)
    numbers = [_numbers(table, feature) for feature in clear.numeric]
    texts = [table[FEATURE_PREFIX + feature.name].to_pylist() for feature in clear.textual]
    flat = np.column_stack(numbers).ravel().tolist() if numbers else []
    rows = ValidatedRows(table.num_rows, flat, list(chain.from_iterable(zip(*texts, strict=True))), [])
    return rows, np.array(table["scores"].to_pylist(), dtype=np.float64)


def _numbers(table: pa.Table, feature: Feature) -> Any:
    values = table[FEATURE_PREFIX + feature.name].cast(pa.float64()).to_pylist()
    return np.array([np.nan if value is None else value for value in values])


def _with_encrypted(counted: Distributions, described: PoolDescription) -> Distributions:
    """With the features that nothing is known of, and of how many rows that is so."""
    for feature in described.schema.features:
        if feature.pii and feature.name in described.reference.features:
            cells = [0] * len(reference_cells(described.reference.features[feature.name]))
            counted.features[feature.name] = FeatureCounts(cells, encrypted=counted.rows)
    return counted


def _in_clear(schema: FeatureSchema) -> FeatureSchema:
    return FeatureSchema(features=tuple(feature for feature in schema.features if not feature.pii))


def _moment(table: pa.Table, moment: datetime) -> pa.Scalar:
    return pa.scalar(moment, table.schema.field("timestamp").type)
