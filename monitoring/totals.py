"""Sums of what gateways counted, by model and version."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import VersionCounts

Totals = dict[tuple[str, str], VersionCounts]


def add(totals: Totals, counted: Mapping[tuple[str, str], VersionCounts], *, sign: int = 1) -> None:
    """Add what one gateway counted to the totals, in place; ``sign=-1`` takes it away again."""
    for key, counts in counted.items():
        total = totals.get(key)
        if total is None:
            total = totals[key] = nothing_counted()
        _add_counts(total, counts, sign)


def nothing_counted() -> VersionCounts:
    """Counts of a version that nobody has asked yet."""
    return VersionCounts(requests={}, latency_counts=[0] * (len(LATENCY_BUCKETS_SECONDS) + 1))


def _add_counts(total: VersionCounts, counts: VersionCounts, sign: int) -> None:
    _add_by_name(total.requests, counts.requests, sign)
    _add_by_name(total.labels, counts.labels, sign)
    _add_by_name(total.row_errors, counts.row_errors, sign)
    total.latency_counts = [
        ours + sign * theirs for ours, theirs in zip(total.latency_counts, counts.latency_counts, strict=True)
    ]
    total.latency_sum += sign * counts.latency_sum
    total.rows += sign * counts.rows
    total.model_seconds += sign * counts.model_seconds
    total.retries += sign * counts.retries


def _add_by_name(total: dict[str, int], counts: Mapping[str, int], sign: int) -> None:
    for name, count in counts.items():
        total[name] = total.get(name, 0) + sign * count
