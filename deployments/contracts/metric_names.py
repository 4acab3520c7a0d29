"""Prometheus series that Raygate exposes, by name. Dashboards, rules and tests take them from here."""

from __future__ import annotations

from typing import NamedTuple

SCORING_LATENCY_SECONDS = "ml_scoring_latency_seconds"
SCORING_REQUESTS = "ml_scoring_requests"
SCORING_ERRORS = "ml_scoring_errors"
SCORING_ROWS = "ml_scoring_rows"
SCORING_ROW_ERRORS = "ml_scoring_row_errors"
PREDICTIONS = "ml_predictions"
MODEL_SECONDS = "ml_model_seconds"
POOL_RETRIES = "ml_pool_retries"
FAILOVERS = "ml_failovers"
CACHE_ROWS = "ml_cache_rows"
SHADOW_ROWS = "ml_shadow_rows"
SHADOW_DROPPED_ROWS = "ml_shadow_dropped_rows"
SHADOW_DISAGREEMENTS = "ml_shadow_disagreements"
SHADOW_SCORE_DIFFERENCE = "ml_shadow_score_difference"
FEEDBACK = "ml_feedback"
FEEDBACK_OUTCOMES = "ml_feedback_outcomes"
FEATURE_DRIFT_PSI = "ml_feature_drift_psi"
FEATURE_DRIFT_P_VALUE = "ml_feature_drift_p_value"
FEATURE_DRIFT_JENSEN_SHANNON = "ml_feature_drift_jensen_shannon"
FEATURE_DRIFT_WASSERSTEIN = "ml_feature_drift_wasserstein"
FEATURE_NULL_RATIO = "ml_feature_null_ratio"
FEATURE_EXCESS_NULL_RATIO = "ml_feature_excess_null_ratio"
FEATURE_OUTSIDE_RATIO = "ml_feature_outside_ratio"
PREDICTION_DRIFT_PSI = "ml_prediction_drift_psi"
DRIFT_SHARE = "ml_drift_share"
DRIFT_FEATURES = "ml_drift_features"
DRIFT_WINDOW_ROWS = "ml_drift_window_rows"
MODEL_PERFORMANCE = "ml_model_performance"
MODEL_PERFORMANCE_LOWER = "ml_model_performance_lower"
MODEL_PERFORMANCE_UPPER = "ml_model_performance_upper"
MODEL_PERFORMANCE_BASELINE = "ml_model_performance_baseline"
MODEL_PERFORMANCE_ESTIMATE = "ml_model_performance_estimate"
MODEL_PERFORMANCE_ESTIMATE_WITHHELD = "ml_model_performance_estimate_withheld"
LABELLED_ROWS = "ml_labelled_rows"
UNREADABLE_LABELS = "ml_unreadable_labels"
CONCEPT_DRIFT = "ml_concept_drift"
LABELS_READ_SECONDS = "raygate_labels_read_timestamp_seconds"
ALERT_LIMIT = "raygate_alert_limit"
TRAFFIC_WEIGHT = "ml_traffic_weight_ratio"
POLICY_EPOCH = "raygate_policy_epoch"
GATEWAYS = "raygate_gateways"
ROLLOUT_PHASE = "raygate_rollout_phase"
ROLLOUT_WEIGHT = "raygate_rollout_weight_ratio"
ROLLOUT_CHECK = "raygate_rollout_check"
STREAM_RECORDS = "raygate_stream_records"
STREAM_LATENCY_SECONDS = "raygate_stream_latency_seconds"
STREAM_LAG_RECORDS = "raygate_stream_lag_records"
STREAM_RETRIES = "raygate_stream_retries"
STREAM_IN_FLIGHT_RECORDS = "raygate_stream_in_flight_records"
STREAM_WORKERS = "raygate_stream_workers"
SNAPSHOT_AGE_SECONDS = "raygate_snapshot_age_seconds"

OK = "OK"
"""Outcome of a request that was answered; every other outcome is an error's code."""
NO_VERSION = "none"
"""Label value of a request that was refused before a version was chosen."""
UNKNOWN_MODEL = "unknown"
"""Label value of a request that names no model served here: a caller's text never becomes a label."""

LATENCY_BUCKETS_SECONDS = (
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip

SHADOW_DIFFERENCE_BUCKETS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Absolute differences of probabilities between what a caller got and what a shadow says."""


class GatewayFigure(NamedTuple):
    """A cumulative figure of a gateway as a whole.

    Attributes:
        metric: Its series, shared by those that differ in ``code`` only.
        says: What it counts.
        code: What callers were told; empty where nobody was.
    """

    metric: str
    says: str
    code: str = ""


def _refused(code: str) -> GatewayFigure:
    return GatewayFigure("raygate_requests_refused", "Requests that no model was asked for", code)


GATEWAY_FIGURES = {
    "log_rows_written": GatewayFigure("raygate_log_rows_written", "Rows written to the prediction log"),
    "log_rows_dropped": GatewayFigure("raygate_log_rows_dropped", "Rows that never got into the prediction log"),
    "log_write_failures": GatewayFigure(
        "raygate_log_write_failures", "Segments of the prediction log that had to be tried again"
    ),
    "cache_failures": GatewayFigure(
        "raygate_cache_failures", "Calls to the result cache that failed or were too slow"
    ),
    "cache_bypassed_rows": GatewayFigure(
        "raygate_cache_bypassed_rows", "Rows that the result cache was not asked for, or did not keep"
    ),
    "unauthenticated": _refused("UNAUTHENTICATED"),
    "forbidden": _refused("FORBIDDEN"),
    "rate_limited": _refused("RATE_LIMITED"),
    "quota_exceeded": _refused("QUOTA_EXCEEDED"),
    "access_unavailable": _refused("ACCESS_UNAVAILABLE"),
}
"""By the name in the gateway's snapshot."""
