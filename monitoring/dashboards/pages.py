"""What each dashboard shows."""

from __future__ import annotations

from deployments.contracts import metric_names as names
from monitoring.dashboards.panel import SELECTED, WHOLE_WIDTH, Page, Panel

VERSION = "{{model}} {{version}}"
RANGE = "$__rate_interval"
HERE = 'environment=~"$environment"'
COMPARED = SELECTED + ',result="compared"'
SUCCESSES = HERE + ',outcome="success"'
HITS = HERE + ',result="hit"'


def _rate(series: str, matchers: str = SELECTED) -> str:
    return f"rate({series}{{{matchers}}}[{RANGE}])"


def _quantile(share: float) -> tuple[str, str]:
    buckets = f"sum by (le, model, version) ({_rate(names.SCORING_LATENCY_SECONDS + '_bucket')})"
    return f"histogram_quantile({share}, {buckets})", f"p{share * 100:g} {VERSION}"


_REQUESTS = _rate(f"{names.SCORING_REQUESTS}_total")
_ERRORS = _rate(f"{names.SCORING_ERRORS}_total")

SERVING = Page(
    "serving",
    "Raygate: serving",
    (
        Panel("Requests", ((f"sum by (model, version) ({_REQUESTS})", VERSION),), "reqps"),
        Panel(
            "Share of requests that fail",
            ((f"sum by (model, version) ({_ERRORS}) / sum by (model, version) ({_REQUESTS})", VERSION),),
            "percentunit",
            "Callers' mistakes included; alerts leave those out.",
        ),
        Panel("Latency", tuple(_quantile(share) for share in (0.5, 0.95, 0.99)), "s", width=WHOLE_WIDTH),
        Panel("Errors by code", ((f"sum by (code) ({_ERRORS})", "{{code}}"),), "reqps"),
        Panel(
            "Time in the model for a row",
            (
                (
                    f"sum by (model, version) ({_rate(names.MODEL_SECONDS + '_total')})"
                    f" / sum by (model, version) ({_rate(names.SCORING_ROWS + '_total')})",
                    VERSION,
                ),
            ),
            "s",
        ),
        Panel("Rows", ((f"sum by (model, version) ({_rate(names.SCORING_ROWS + '_total')})", VERSION),), "rowsps"),
        Panel(
            "Calls to pools that were repeated",
            ((f"sum by (model, version) ({_rate(names.POOL_RETRIES + '_total')})", VERSION),),
            "cps",
        ),
    ),
)

PREDICTIONS = Page(
    "predictions",
    "Raygate: predictions",
    (
        Panel(
            "Share of each returned label",
            (
                (
                    f"sum by (model, version, prediction) ({_rate(names.PREDICTIONS + '_total')})"
                    f" / ignoring (prediction) group_left sum by (model, version)"
                    f" ({_rate(names.PREDICTIONS + '_total')})",
                    f"{VERSION}: {{{{prediction}}}}",
                ),
            ),
            "percentunit",
            most=1,
        ),
        Panel(
            "Scores against the validation rows",
            ((f"{names.PREDICTION_DRIFT_PSI}{{{SELECTED}}}", VERSION),),
            explained="Population stability index of the last hour; above 0.25 the scores have moved.",
        ),
        Panel(
            "Shadows: share of rows with another label",
            (
                (
                    f"sum by (model, version) ({_rate(names.SHADOW_DISAGREEMENTS + '_total')})"
                    f" / sum by (model, version) ({_rate(names.SHADOW_ROWS + '_total', COMPARED)})",
                    VERSION,
                ),
            ),
            "percentunit",
        ),
        Panel("Feedback", ((f"sum by (model, version) ({_rate(names.FEEDBACK + '_total')})", VERSION),), "cps"),
    ),
)

DRIFT = Page(
    "drift",
    "Raygate: drift and data quality",
    (
        Panel(
            "Features that moved most",
            ((f"topk(10, {names.FEATURE_DRIFT_PSI}{{{SELECTED}}})", f"{VERSION}: {{{{feature}}}}"),),
            explained="Population stability index; 0.1 is worth a look, 0.25 calls for action.",
            width=WHOLE_WIDTH,
        ),
        Panel(
            "Share of features that drifted",
            ((f"{names.DRIFT_SHARE}{{{SELECTED}}}", VERSION),),
            "percentunit",
            most=1,
        ),
        Panel(
            "Features by judgement",
            (
                (
                    f"sum by (model, version, level) ({names.DRIFT_FEATURES}{{{SELECTED}}})",
                    f"{VERSION}: {{{{level}}}}",
                ),
            ),
            explained="not_enough_data is not stable: the window is too small to tell.",
        ),
        Panel(
            "Jensen-Shannon distance",
            ((f"topk(10, {names.FEATURE_DRIFT_JENSEN_SHANNON}{{{SELECTED}}})", f"{VERSION}: {{{{feature}}}}"),),
        ),
        Panel(
            "p-values, corrected over the features",
            ((f"bottomk(10, {names.FEATURE_DRIFT_P_VALUE}{{{SELECTED}}})", f"{VERSION}: {{{{feature}}}}"),),
            explained="With very many rows every trifle is significant: read it beside the index.",
        ),
        Panel(
            "Values that training never saw",
            ((f"topk(10, {names.FEATURE_OUTSIDE_RATIO}{{{SELECTED}}})", f"{VERSION}: {{{{feature}}}}"),),
            "percentunit",
        ),
        Panel(
            "Missing values beyond those of training",
            ((f"topk(10, {names.FEATURE_EXCESS_NULL_RATIO}{{{SELECTED}}})", f"{VERSION}: {{{{feature}}}}"),),
            "percentunit",
        ),
        Panel("Rows in the window", ((f"{names.DRIFT_WINDOW_ROWS}{{{SELECTED}}}", VERSION),)),
    ),
)


_ON_LABELS = (
    (names.MODEL_PERFORMANCE, "on labels"),
    (names.MODEL_PERFORMANCE_LOWER, "lower"),
    (names.MODEL_PERFORMANCE_UPPER, "upper"),
    (names.MODEL_PERFORMANCE_BASELINE, "at training"),
)


def _measured(metric: str) -> Panel:
    return _figure(metric, _ON_LABELS, "On labels with its interval of 95 %, and at training.", width=12)


def _estimated(metric: str) -> Panel:
    lines = (*_ON_LABELS, (names.MODEL_PERFORMANCE_ESTIMATE, "estimated"))
    explained = "On labels with its interval of 95 %, at training, and as scores let expect it without labels."
    return _figure(metric, lines, explained, WHOLE_WIDTH)


def _figure(metric: str, lines: tuple[tuple[str, str], ...], explained: str, width: int) -> Panel:
    chosen = f'{SELECTED},metric="{metric}"'
    queries = tuple((f"{series}{{{chosen}}}", f"{VERSION} {what}") for series, what in lines)
    return Panel(metric.replace("_", " "), queries, explained=explained, width=width)


QUALITY = Page(
    "quality",
    "Raygate: quality",
    (
        _estimated("accuracy"),
        _estimated("roc_auc"),
        _measured("precision"),
        _measured("recall"),
        _measured("rmse"),
        _measured("mae"),
        Panel("Labelled rows", ((f"{names.LABELLED_ROWS}{{{SELECTED}}}", VERSION),)),
        Panel(
            "Concept drift",
            ((f"{names.CONCEPT_DRIFT}{{{SELECTED}}}", f"{VERSION}: {{{{detector}}}}"),),
            explained="1: the detector finds the error on labels risen.",
            most=1,
        ),
    ),
)

ROLLOUTS = Page(
    "rollouts",
    "Raygate: rollouts and traffic",
    (
        Panel(
            "Phase of the latest rollout",
            ((f"{names.ROLLOUT_PHASE}{{{HERE}}} == 1", "{{endpoint}}: {{phase}}"),),
            explained="A line for each phase, as long as the rollout is in it.",
            most=1,
        ),
        Panel(
            "Share that the latest rollout decided on",
            ((f"{names.ROLLOUT_WEIGHT}{{{HERE}}}", "{{endpoint}} {{version}}"),),
            "percentunit",
            most=1,
        ),
        Panel(
            "What each check said last",
            ((f"{names.ROLLOUT_CHECK}{{{HERE}}} == 1", "{{endpoint}} {{check}}: {{outcome}}"),),
            explained="inconclusive is not healthy: there was too little to tell.",
            width=WHOLE_WIDTH,
            most=1,
        ),
        Panel(
            "Share of the traffic",
            ((f"{names.TRAFFIC_WEIGHT}{{{HERE}}}", "{{endpoint}} {{version}}"),),
            "percentunit",
            width=WHOLE_WIDTH,
            most=1,
        ),
        Panel("Policy in force", ((f"{names.POLICY_EPOCH}{{{HERE}}}", "{{endpoint}} {{gateway}}"),)),
        Panel(
            "Requests that stable answered for another version",
            ((f"sum by (model, version) ({_rate(names.FAILOVERS + '_total', HERE)})", VERSION),),
            "reqps",
        ),
        Panel(
            "Share of feedback that met the goal",
            (
                (
                    f"sum by (model, version) ({_rate(names.FEEDBACK_OUTCOMES + '_total', SUCCESSES)})"
                    f" / sum by (model, version) ({_rate(names.FEEDBACK_OUTCOMES + '_total', HERE)})",
                    VERSION,
                ),
            ),
            "percentunit",
        ),
    ),
    by_version=False,
)


_POOL = "ray::ServeReplica:(.+)_v([0-9]+[.][0-9]+[.][0-9]+):.*"


def _of_each_pool(series: str) -> str:
    """A series of Ray's processes, which bear their application's name, added up over each version's replicas."""
    of_a_model = f'label_replace({series}{{Component=~"{_POOL}"}}, "model", "$1", "Component", "{_POOL}")'
    return f'sum by (model, version) (label_replace({of_a_model}, "version", "$2", "Component", "{_POOL}"))'


RESOURCES = Page(
    "resources",
    "Raygate: resources",
    (
        Panel("Gateways", ((f"{names.GATEWAYS}{{{HERE}}}", "{{environment}}"),)),
        Panel("Age of the newest figures", ((f"{names.SNAPSHOT_AGE_SECONDS}{{{HERE}}}", "{{environment}}"),), "s"),
        Panel(
            "CPU of each version",
            ((_of_each_pool("ray_component_cpu_percentage"), VERSION),),
            "percent",
            "Of all its replicas; 100 is one core.",
        ),
        Panel("Memory of each version", ((_of_each_pool("ray_component_rss_bytes"), VERSION),), "bytes"),
        Panel("CPU of each node", (("ray_node_cpu_utilization", "{{instance}}"),), "percent"),
        Panel("Memory of each node", (("ray_node_mem_used", "{{instance}}"),), "bytes"),
        Panel(
            "Prediction log",
            (
                (f"rate(raygate_log_rows_written_total{{{HERE}}}[{RANGE}])", "written"),
                (f"rate(raygate_log_rows_dropped_total{{{HERE}}}[{RANGE}])", "dropped"),
            ),
            "rowsps",
        ),
        Panel(
            "Result cache: share of rows found",
            (
                (
                    f"sum by (model, version) ({_rate(names.CACHE_ROWS + '_total', HITS)})"
                    f" / sum by (model, version) ({_rate(names.CACHE_ROWS + '_total', HERE)})",
                    VERSION,
                ),
            ),
            "percentunit",
        ),
    ),
    by_version=False,
)

PAGES = (SERVING, PREDICTIONS, DRIFT, QUALITY, ROLLOUTS, RESOURCES)
