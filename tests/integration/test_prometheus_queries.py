"""Queries of a rollout's plan, put to a real Prometheus that scrapes an application of somebody's own; no Ray."""

import re
from datetime import UTC, datetime, timedelta

import prometheus_server
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from deployments.contracts.model_version import Version
from deployments.contracts.rollout_plan import RolloutPlan
from deployments.rollout.prometheus_queries import PrometheusQueries
from deployments.rollout.state import Phase, Rollout, RolloutState

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
REFUNDS = "sum(refunds_total{model='{{model}}', version='{{version}}'})"


@pytest.fixture(scope="module")
def prometheus(require_program, tmp_path_factory):
    program = require_program("prometheus", package="prometheus")
    registry = CollectorRegistry()
    refunds = Counter("refunds", "Refunds", ["model", "version", "shop"], registry=registry)
    for version, shop, number in (("1.0.0", "a", 3), ("1.1.0", "a", 5), ("1.1.0", "b", 2)):
        refunds.labels("credit_risk", version, shop).inc(number)
    Gauge("undefined", "No number", registry=registry).set(float("nan"))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    target = f"127.0.0.1:{server.server_port}"
    with prometheus_server.scraping(program, tmp_path_factory.mktemp("queries"), target) as running:
        running.wait_for("refunds_total", lambda samples: len(samples) == 3)
        running.wait_for("increase(refunds_total[5s])", lambda samples: len(samples) == 3)
        yield running
    server.shutdown()
    server.server_close()
    thread.join()


def rollout(*queries, limit="limit"):
    checks = [
        {"check": "query", "name": f"q{place}", "query": query, limit: 3} for place, query in enumerate(queries)
    ]
    now = datetime.now(UTC)
    settled = now - timedelta(seconds=30)
    return Rollout(
        name="credit-risk-1.1.0",
        endpoint="credit-risk",
        model="credit_risk",
        stable=V1,
        candidate=V2,
        plan=RolloutPlan.model_validate({"analysis": {"checks": checks}}),
        started=settled,
        started_by="ann",
        state=RolloutState(phase=Phase.PROGRESSING, step=0, weight=5, decided=settled, settled=settled),
    )


def answers(server, *queries, limit="limit"):
    return PrometheusQueries(server.url, "test").answers(rollout(*queries, limit=limit), datetime.now(UTC))


def test_each_version_is_asked_about_by_its_number(prometheus):
    found = answers(prometheus, REFUNDS, limit="limitTimesStable")
    assert (found[V2]["q0"].value, found[V1]["q0"].value) == (7.0, 3.0)


def test_stable_is_not_asked_about_where_nothing_compares(prometheus):
    assert answers(prometheus, REFUNDS)[V1] == {}


def test_the_window_is_the_time_since_the_weight_is_in_force(prometheus):
    rising = "sum(count_over_time(refunds_total{version='{{version}}', shop='a'}[{{window}}]))"
    (scrapes,) = answers(prometheus, rising)[V2].values()
    assert 2 <= scrapes.value <= 31
    assert scrapes.value == answers(prometheus, rising.replace("{{window}}", "30s"))[V2]["q0"].value


@pytest.mark.parametrize(
    ("query", "value", "trouble"),
    [
        pytest.param("vector(4) / scalar(vector(2))", 2.0, "", id="one-sample"),
        pytest.param("2 * 3", 6.0, "", id="a-scalar"),
        pytest.param("refunds_total{version='9.9.9'}", None, "", id="no-sample"),
        pytest.param("undefined", None, "", id="not-a-number"),
        pytest.param("vector(1) / 0", None, "", id="divided-by-nothing"),
        pytest.param("refunds_total{version='{{version}}'}", None, "yields 2 samples", id="several-samples"),
        pytest.param("up[1m]", None, "yields a matrix, not one sample", id="a-range"),
        pytest.param("sum(up", None, "Prometheus refuses the query: .*parse error", id="wrong-promql"),
        pytest.param(
            "refunds_total * on(version) refunds_total",
            None,
            "Prometheus refuses the query: ",
            id="cannot-be-done",
        ),
    ],
)
def test_what_prometheus_answers_is_a_figure_none_or_a_trouble(prometheus, query, value, trouble):
    (found,) = answers(prometheus, query)[V2].values()
    assert found.value == value
    assert re.search(trouble, found.trouble) if trouble else not found.trouble


def test_a_query_that_is_refused_takes_no_other_with_it(prometheus):
    first, second = answers(prometheus, "sum(up", "2 * 3")[V2].values()
    assert first.trouble
    assert second.value == 6.0


def test_a_server_that_is_away_is_told_for_every_query_without_its_password():
    away = prometheus_server.Prometheus("http://ann:secret@127.0.0.1:9")
    found = answers(away, REFUNDS, "2 * 3")[V2]
    assert [answer.value for answer in found.values()] == [None, None]
    for answer in found.values():
        assert answer.trouble.startswith("Prometheus at http://127.0.0.1:9 does not answer")
        assert "secret" not in answer.trouble
