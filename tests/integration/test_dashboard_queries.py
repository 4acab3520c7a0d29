"""Every panel shows something: its query is asked of a Prometheus that scrapes the running stack as shipped."""

import re
import threading
from contextlib import contextmanager

import httpx
import prometheus_server
import pytest
import rollout_run
from misbehaving_model import SLOW_AT
from waiting import wait_until

from deployments.client import Client, ClientError
from monitoring.dashboards.pages import PAGES

QUERIES = {
    f"{page.name}: {panel.title} {place}": query
    for page in PAGES
    for panel in page.panels
    for place, (query, _) in enumerate(panel.queries)
}

OF_REGRESSIONS = re.compile('metric="(rmse|mae)"')
"""The stack serves no regression; how its figures are measured, a unit test says."""


def asked(query):
    """The query as Grafana asks it with everything chosen."""
    for name in ("environment", "model", "version"):
        query = query.replace(f"${name}", ".*")
    return query.replace("$__rate_interval", "30s")


@pytest.fixture
def client(stack):
    with Client(stack.api_url, api_key=stack.settings.key_file.read_text().strip()) as connected:
        yield connected


@pytest.fixture
def prometheus(stack, require_program, tmp_path):
    program, jobs = (
        require_program("prometheus", package="prometheus"),
        prometheus_server.shipped_jobs(stack.settings),
    )
    with prometheus_server.scraping(program, tmp_path, jobs=jobs, port=stack.prometheus_port) as server:
        wanted = {job["job_name"] for job in jobs}
        server.wait_for("up == 1", lambda samples: {labels["job"] for labels, _ in samples} == wanted)
        yield server


@contextmanager
def callers(client, rows):
    """Go on asking, also what the candidate takes too long for, and telling what became of it."""
    stopping = threading.Event()

    def call():
        number = 0
        while not stopping.wait(0.05):
            number += 1
            row = {**rows[0], "Age": SLOW_AT} if number % 10 == 0 else rows[number % len(rows)]
            try:
                answer = client.predict("credit-risk", row)
                client.feedback(answer.prediction_id, value=float(number % 2))
            except ClientError:
                continue  # a machine that is too slow for a moment is no matter of panels

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_every_panel_of_every_dashboard_has_data_of_a_running_stack(
    stack, rows, applied, misbehaving, client, prometheus, tmp_path
):
    rollouts = rollout_run.Rollouts(stack, tmp_path / "rollout.yaml", ())
    rollouts.plan()
    rollouts.start("1.1.0")
    rollouts.wait_for(lambda rollout: rollout.state.verdict)
    rollouts.end()
    # Enough rows of one version for a judgement of drift, enough labels for one of quality.
    for batch in range(12):
        answer = client.predict("credit-risk", rows, model_version="1.0.0")
        for predicted in answer.predictions if batch < 3 else ():
            client.feedback(predicted.prediction_id, label=predicted.prediction)
    applied(
        ({"version": misbehaving, "role": "candidate"},),
        cache={"enabled": True},
        limits={"failoverShare": 0.05},  # of ten seconds: the slow rows of the candidate are stable's to answer
        traffic={
            "split": {"1.0.0": 50, misbehaving: 50},
            "shadow": [{"version": "1.1.0"}],
            "bandit": {"floor": 40},
        },
    )
    silent = {panel: query for panel, query in QUERIES.items() if not OF_REGRESSIONS.search(query)}

    def all_have_spoken():
        for panel, query in list(silent.items()):
            if any(value == value for _, value in prometheus.query(asked(query))):
                del silent[panel]
        return not silent

    with callers(client, rows):
        try:
            wait_until(all_have_spoken, 150)
        except AssertionError:
            pytest.fail(f"panels without data: {sorted(silent)}")


def test_rays_dashboard_finds_the_prometheus_of_the_settings(stack, prometheus):
    health = httpx.get(f"{stack.settings.dashboard_url}/api/prometheus_health", timeout=10)
    assert (health.status_code, health.json()["result"]) == (200, True), health.text
