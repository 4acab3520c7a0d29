"""Prometheus series that Raygate exposes, by name. Dashboards, rules and tests take them from here."""

SCORING_LATENCY_SECONDS = "ml_scoring_latency_seconds"
SCORING_REQUESTS = "ml_scoring_requests"
SCORING_ERRORS = "ml_scoring_errors"
SCORING_ROWS = "ml_scoring_rows"
SCORING_ROW_ERRORS = "ml_scoring_row_errors"
PREDICTIONS = "ml_predictions"
MODEL_SECONDS = "ml_model_seconds"
POOL_RETRIES = "ml_pool_retries"
TRAFFIC_WEIGHT = "ml_traffic_weight_ratio"
POLICY_EPOCH = "raygate_policy_epoch"
GATEWAYS = "raygate_gateways"
SNAPSHOT_AGE_SECONDS = "raygate_snapshot_age_seconds"

NO_VERSION = "none"
"""Label value of a request that was refused before a version was chosen."""
UNKNOWN_MODEL = "unknown"
"""Label value of a request that names no model served here: a caller's text never becomes a label."""

LATENCY_BUCKETS_SECONDS = (
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
