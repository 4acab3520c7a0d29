"""Cumulative figures of versions, read out of the series that the monitor exposes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from deployments.contracts import metric_names as names
from deployments.contracts.snapshot import VersionCounts
from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.evidence import Counts

SILENT_AFTER_SECONDS = 10.0
"""Gateways speak twice a second: figures that are this old tell nothing of the present."""

_BY_LABEL: dict[str, tuple[str, str]] = {
    f"{names.SCORING_REQUESTS}_total": ("requests", "outcome"),
    f"{names.SCORING_ROW_ERRORS}_total": ("row_errors", "code"),
    f"{names.PREDICTIONS}_total": ("labels", "prediction"),
}
"""Series with a label: the field that they fill and the label that is its key."""
_BUCKETS = f"{names.SCORING_LATENCY_SECONDS}_bucket"
_ROWS = f"{names.SCORING_ROWS}_total"
_SHADOW_ROWS = f"{names.SHADOW_ROWS}_total"
_DISAGREEMENTS = f"{names.SHADOW_DISAGREEMENTS}_total"
SERIES = (*_BY_LABEL, _BUCKETS, _ROWS, _SHADOW_ROWS, _DISAGREEMENTS)
"""Every series with a version that figures are made of."""
KEYS = ("version", "outcome", "code", "prediction", "le", "result")
"""Every label that they are told apart by."""


class Sample(NamedTuple):
    """One value of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


def figures_in(samples: Iterable[Sample], model: str) -> Counts:
    """Read a model's figures.

    Args:
        samples: Of every series, those of other models and those that nobody needs here as well.
        model: The registered model.

    Raises:
        EvidenceUnavailable: No gateway was heard of lately.
    """
    counts: defaultdict[str, VersionCounts] = defaultdict(VersionCounts)
    buckets: defaultdict[str, dict[float, int]] = defaultdict(dict)
    age: float | None = None
    for name, labels, figure in samples:
        if name == names.SNAPSHOT_AGE_SECONDS:
            age = figure
        if name not in SERIES or labels.get("model", model) != model:
            continue
        version, value = labels["version"], int(figure)
        if name in _BY_LABEL:
            field, label = _BY_LABEL[name]
            getattr(counts[version], field)[labels[label]] = value
        elif name == _BUCKETS:
            buckets[version][float(labels["le"])] = value
        elif name == _ROWS:
            counts[version].rows = value
        elif name == _DISAGREEMENTS:
            counts[version].shadow_disagreements = value
        elif labels["result"] == "compared":
            counts[version].shadow_rows = value
    if age is None or age > SILENT_AFTER_SECONDS:
        told = "never" if age is None else f"{age:.0f} s ago"
        raise EvidenceUnavailable(f"the monitor heard of a gateway {told}")
    for version, cumulative in buckets.items():
        counts[version].latency_counts = _by_bucket(cumulative)
    return dict(counts)


def _by_bucket(cumulative: dict[float, int]) -> list[int]:
    """Counts of the buckets one by one, from Prometheus's cumulative ones."""
    totals = [cumulative[bound] for bound in sorted(cumulative)]
    return [total - before for total, before in zip(totals, [0, *totals[:-1]], strict=True)]
