import pytest
from gateway_snapshots import KEY, counts, snapshot
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from deployments.gateway.problems import Code
from monitoring.exporter import WindowExporter
from monitoring.label_limits import LabelLimits
from monitoring.version_series import ALWAYS_EXPOSED_CODES
from monitoring.window import Window

VERSION = {"model": "credit_risk", "version": "1.0.0", "environment": "test"}


class Exposition:
    """The text that a scrape gets, parsed by Prometheus's own client."""

    def __init__(self, *snapshots, now=0.0, limits=None, settling=0.0):
        self.window = Window()
        self.now = now
        self.tell(*snapshots)
        exporter = WindowExporter(lambda: self.window, lambda: self.now, "test", limits, settling)
        self.registry = exporter.registry()

    def tell(self, *snapshots):
        for each in snapshots:
            self.window = self.window.after(each, self.now)

    def samples(self, name):
        text = generate_latest(self.registry).decode()
        return [
            (sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        ]

    def value(self, name, **labels):
        found = [value for own, value in self.samples(name) if own == {"environment": "test", **labels}]
        assert len(found) == 1, f"{name}{labels}: {self.samples(name)}"
        return found[0]


def test_latency_is_a_histogram_whose_buckets_are_cumulative():
    fast, slow = counts(3, bucket=0), counts(1, bucket=18)
    shown = Exposition(snapshot("a", 1, {KEY: fast}), snapshot("b", 1, {KEY: slow}))
    bucket = "ml_scoring_latency_seconds_bucket"
    assert shown.value(bucket, **VERSION, le="0.001") == 3
    assert shown.value(bucket, **VERSION, le="10.0") == 3
    assert shown.value(bucket, **VERSION, le="+Inf") == 4
    assert shown.value("ml_scoring_latency_seconds_count", **VERSION) == 4
    assert shown.value("ml_scoring_latency_seconds_sum", **VERSION) == pytest.approx(0.04)


DROPPED = "raygate_log_rows_dropped_total"


def test_nothing_is_told_to_be_zero_before_a_gateway_has_spoken():
    """30 rows, 0, 30 rows again would be 30 new ones to Prometheus."""
    shown = Exposition()
    assert shown.samples(DROPPED) == []
    assert shown.value("raygate_gateways") == 0
    shown.tell(snapshot(figures={"log_rows_dropped": 30}))
    assert shown.value(DROPPED) == 30


def test_after_a_restart_sums_wait_until_every_gateway_has_had_its_turn():
    shown = Exposition(settling=1.5)
    shown.tell(snapshot("a", figures={"log_rows_dropped": 10}))
    shown.now = 0.5
    shown.tell(snapshot("b", figures={"log_rows_dropped": 20}))
    shown.now = 1.4
    assert shown.samples(DROPPED) == shown.samples("ml_scoring_requests_total") == []
    assert shown.samples("raygate_snapshot_age_seconds") == []  # who judges by it waits, too
    assert shown.value("raygate_gateways") == 2
    shown.now = 1.5
    assert shown.value(DROPPED) == 30


def test_requests_are_counted_by_outcome_and_errors_by_code():
    shown = Exposition(snapshot(versions={KEY: counts(5, errors={"OVERLOADED": 2})}))
    assert shown.value("ml_scoring_requests_total", **VERSION, outcome="OK") == 5
    assert shown.value("ml_scoring_requests_total", **VERSION, outcome="OVERLOADED") == 2
    assert shown.value("ml_scoring_errors_total", **VERSION, code="OVERLOADED") == 2
    assert not [labels for labels, _ in shown.samples("ml_scoring_errors_total") if labels["code"] == "OK"]


@pytest.mark.parametrize("code", ALWAYS_EXPOSED_CODES)
def test_error_series_of_a_served_version_exist_before_its_first_error(code):
    shown = Exposition(snapshot(versions={KEY: counts(0)}))
    assert shown.value("ml_scoring_errors_total", **VERSION, code=code) == 0
    assert code in set(Code), "a code that the gateway does not know stays at 0 for ever"


def test_rows_labels_and_model_time_are_counted():
    shown = Exposition(snapshot(versions={KEY: counts(4, labels={"good": 3, "bad": 1})}))
    assert shown.value("ml_scoring_rows_total", **VERSION) == 4
    assert shown.value("ml_predictions_total", **VERSION, prediction="good") == 3
    assert shown.value("ml_predictions_total", **VERSION, prediction="bad") == 1
    assert shown.value("ml_model_seconds_total", **VERSION) == pytest.approx(0.004)
    assert shown.value("ml_pool_retries_total", **VERSION) == 0


def test_weights_are_those_of_the_gateway_with_the_newest_policy():
    shown = Exposition(
        snapshot("a", epoch=4, weights={"1.0.0": 0.5, "1.1.0": 0.5}),
        snapshot("b", epoch=3, weights={"1.0.0": 0.9, "1.1.0": 0.1}),
    )
    assert shown.value("ml_traffic_weight_ratio", endpoint="credit-risk", version="1.1.0") == 0.5
    assert shown.value("raygate_policy_epoch", endpoint="credit-risk", gateway="a") == 4
    assert shown.value("raygate_policy_epoch", endpoint="credit-risk", gateway="b") == 3


def test_a_silent_gateway_leaves_the_gauges_and_stays_in_the_counters():
    shown = Exposition(snapshot("a", versions={KEY: counts(2)}))
    assert shown.value("raygate_gateways") == 1
    shown.now = 8.0
    assert shown.value("raygate_gateways") == 0
    assert shown.value("raygate_snapshot_age_seconds") == 8
    assert shown.samples("raygate_policy_epoch") == []
    assert shown.value("ml_scoring_requests_total", **VERSION, outcome="OK") == 2


def test_before_any_gateway_has_spoken_the_text_is_valid_and_says_so():
    shown = Exposition()
    assert shown.value("raygate_gateways") == 0
    assert shown.samples("raygate_snapshot_age_seconds") == []


def test_labels_beyond_the_limit_are_added_up_as_other():
    labels = {f"class-{n}": 1 for n in range(5)}
    shown = Exposition(snapshot(versions={KEY: counts(5, labels=labels)}), limits=LabelLimits(predictions=2))
    assert shown.value("ml_predictions_total", **VERSION, prediction="class-0") == 1
    assert shown.value("ml_predictions_total", **VERSION, prediction="other") == 3
    assert len(shown.samples("ml_predictions_total")) == 3


def test_versions_beyond_the_limit_are_added_up_as_other_with_whole_histograms():
    versions = {("credit_risk", f"1.{n}.0"): counts(10) for n in range(5)}
    shown = Exposition(snapshot(versions=versions), limits=LabelLimits(versions=2))
    assert len(shown.samples("ml_scoring_rows_total")) == 3
    other = {**VERSION, "version": "other"}
    assert shown.value("ml_scoring_rows_total", **other) == 30
    assert shown.value("ml_scoring_latency_seconds_bucket", **other, le="+Inf") == 30


def test_a_label_that_has_a_series_keeps_it_when_others_arrive():
    shown = Exposition(snapshot("a", 1, {KEY: counts(2, labels={"m": 2})}), limits=LabelLimits(predictions=1))
    assert shown.value("ml_predictions_total", **VERSION, prediction="m") == 2
    shown.tell(snapshot("a", 2, {KEY: counts(9, labels={"a": 7, "m": 2})}))
    assert shown.value("ml_predictions_total", **VERSION, prediction="m") == 2
    assert shown.value("ml_predictions_total", **VERSION, prediction="other") == 7


def test_the_openmetrics_form_is_valid_too():
    shown = Exposition(snapshot(versions={KEY: counts(5, errors={"OVERLOADED": 2}, labels={'quo"te': 5})}))
    families = {family.name for family in parse_openmetrics(openmetrics(shown.registry).decode())}
    assert {"ml_scoring_latency_seconds", "ml_scoring_requests", "raygate_gateways"} <= families


def test_refusals_of_all_gateways_are_counted_by_what_callers_were_told():
    shown = Exposition(
        snapshot("a", figures={"unauthenticated": 3, "log_rows_written": 10}),
        snapshot("b", figures={"unauthenticated": 2, "rate_limited": 1}),
    )
    refused = "raygate_requests_refused_total"
    assert shown.value(refused, code="UNAUTHENTICATED") == 5
    assert shown.value(refused, code="RATE_LIMITED") == 1
    assert shown.value(refused, code="FORBIDDEN") == 0
    assert shown.value("raygate_log_rows_written_total") == 10
