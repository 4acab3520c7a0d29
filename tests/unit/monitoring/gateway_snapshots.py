"""Snapshots as gateways send them, for the tests of this folder."""

from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts

BUCKETS = len(LATENCY_BUCKETS_SECONDS) + 1
KEY = ("credit_risk", "1.0.0")


def counts(ok=0, *, errors=None, labels=None, bucket=4):
    """Counts of one version: ``ok`` answers of 10 ms, one row each."""
    requests = {"OK": ok, **(errors or {})}
    latency = [0] * BUCKETS
    latency[bucket] = sum(requests.values())
    return VersionCounts(
        requests=requests,
        latency_counts=latency,
        latency_sum=0.01 * sum(requests.values()),
        rows=ok,
        labels=labels or {},
        model_seconds=0.001 * ok,
        retries=0,
    )


def snapshot(gateway="a", sequence=1, versions=None, *, epoch=1, weights=None, figures=None):
    return GatewaySnapshot(
        gateway=gateway,
        sequence=sequence,
        sent=0.0,
        policy_epochs={"credit-risk": epoch},
        weights={"credit-risk": weights or {"1.0.0": 0.9, "1.1.0": 0.1}},
        versions=versions if versions is not None else {KEY: counts(sequence)},
        figures=figures or {},
    )
