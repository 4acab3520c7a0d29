"""Figures as the monitor really exposes them, and labels as the prediction log joins them."""

from itertools import cycle

import httpx
import pyarrow as pa
import pytest
from prometheus_client import generate_latest

from deployments.contracts.model_version import Version
from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts
from deployments.rollout.errors import EvidenceUnavailable
from deployments.rollout.figure_series import figures_in
from deployments.rollout.gateway_figures import GatewayFigures
from deployments.rollout.monitor_figures import MonitorFigures, samples_in
from deployments.rollout.prometheus_queries import PrometheusQueries
from monitoring.exporter import WindowExporter
from monitoring.window import Window
from ray_apps.rollout_evidence import MeasuredEvidence, outcomes_in

NO_QUERIES = PrometheusQueries(None, "test")


def exposed(counts, age=0.0):
    snapshot = GatewaySnapshot("g", 1, 0.0, {}, {}, {("credit_risk", "1.1.0"): counts, ("churn", "1.0.0"): counts})
    window = Window().after(snapshot, 100.0)
    return generate_latest(WindowExporter(lambda: window, lambda: 100.0 + age, "test").registry()).decode()


def test_figures_come_back_as_gateways_counted_them():
    counts = VersionCounts(
        requests={"OK": 90, "MODEL_ERROR": 10},
        rows=120,
        row_errors={"MODEL_ERROR": 3},
        labels={"good": 80, "bad": 40},
        latency_counts=[5, 10, *([0] * 11), 80, 0, 0, 0, 3, 2],
        latency_sum=12.5,
        shadow_rows=7,
        shadow_disagreements=2,
    )
    read = figures_in(samples_in(exposed(counts)), "credit_risk")
    assert set(read) == {"1.1.0"}
    found = read["1.1.0"]
    assert {code: count for code, count in found.requests.items() if count} == counts.requests
    for field in ("rows", "row_errors", "labels", "latency_counts", "shadow_rows", "shadow_disagreements"):
        assert getattr(found, field) == getattr(counts, field), field


def test_figures_of_gateways_that_fell_silent_are_no_evidence():
    with pytest.raises(EvidenceUnavailable, match="heard of a gateway 60 s ago"):
        figures_in(samples_in(exposed(VersionCounts(), age=60)), "credit_risk")
    with pytest.raises(EvidenceUnavailable, match="never"):
        figures_in(samples_in(""), "credit_risk")


def test_a_monitor_that_does_not_answer_is_no_evidence():
    def refuse(url):
        raise httpx.ConnectError("connection refused")

    with pytest.raises(EvidenceUnavailable, match="http://nowhere/metrics does not answer: connection refused"):
        MonitorFigures("http://nowhere/metrics", refuse).of("credit_risk")


def gateways(*names, running, requests=10):
    """Gateways behind one address, that takes them in turn."""
    counted = {
        ("credit_risk", "1.1.0"): VersionCounts(requests={"OK": requests}),
        ("churn", "1.0.0"): VersionCounts(),
    }
    turn = cycle(GatewaySnapshot(name, 1, 0.0, {}, {}, counted).to_plain() for name in names)
    return GatewayFigures(lambda: next(turn), lambda: running)


def test_every_gateway_is_asked_though_the_address_chooses_which():
    found = gateways("b", "b", "b", "a", running=2).of("credit_risk")
    assert {version: counts.requests for version, counts in found.counts.items()} == {"1.1.0": {"OK": 20}}
    assert found.counted_by == "gateways a, b"


def test_a_gateway_that_nobody_reaches_is_told_and_not_left_out():
    with pytest.raises(EvidenceUnavailable, match="1 of 2 gateways answered"):
        gateways("a", running=2).of("credit_risk")


def test_gateways_that_speak_another_contract_are_no_evidence():
    with pytest.raises(EvidenceUnavailable, match="speaks the snapshot contract 99"):
        GatewayFigures(lambda: {"contract": 99}, lambda: 1).of("credit_risk")


class Silent:
    def of(self, model):
        raise EvidenceUnavailable("the monitor does not answer")


def test_when_the_monitor_is_silent_the_gateways_speak_for_errors_and_latency():
    found = MeasuredEvidence(Silent(), gateways("a", running=1), "", NO_QUERIES).figures("credit_risk")
    assert (found.counted_by, found.limited) == ("gateways a", "the monitor does not answer")


def test_when_nobody_speaks_both_reasons_are_told():
    with pytest.raises(EvidenceUnavailable, match="the monitor does not answer; 1 of 2 gateways answered"):
        MeasuredEvidence(Silent(), gateways("a", running=2), "", NO_QUERIES).figures("credit_risk")


def labelled(*rows):
    names = ("prediction_id", "assigned_version", "stage", "prediction", "label", "value")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_labels_count_for_the_version_that_was_assigned_and_shadows_do_not():
    found = outcomes_in(
        labelled(
            ("a", "1.1.0", "live", "good", "good", 2.0),
            ("b", "1.1.0", "live", "good", "bad", None),
            ("a", "1.1.0", "shadow", "bad", "good", 9.0),
            ("c", "1.0.0", "live", "bad", None, 4.0),
        )
    )
    ours, theirs = found[Version(1, 1, 0)], found[Version(1, 0, 0)]
    assert (ours.labels.count, ours.labels.mean, ours.values.total) == (2, 0.5, 2.0)
    assert (theirs.labels.count, theirs.values.total) == (0, 4.0)


def test_a_corrected_label_counts_once_and_as_it_was_corrected():
    found = outcomes_in(
        labelled(
            ("a", "1.0.0", "live", "good", "bad", 1.0),
            ("a", "1.0.0", "live", "good", "good", None),
            ("a", "1.0.0", "live", "good", None, 2.0),
        )
    )[Version(1, 0, 0)]
    assert (found.labels.count, found.labels.mean) == (1, 1.0)
    assert (found.values.count, found.values.total) == (2, 3.0)
