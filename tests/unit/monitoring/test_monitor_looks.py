"""The monitor's own loop, with a pool that describes itself in memory."""

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
from gateway_snapshots import snapshot
from prometheus_client import generate_latest
from reference_profiles import profile, window

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.snapshot import GatewaySnapshot
from deployments.contracts.wire import PoolDescription
from monitoring.sliding import Point
from ray_apps import background_task, monitor, pool_descriptions

KEY = ("credit_risk", "1.0.0", "d" * 64)
METADATA = ModelMetadata(
    model="credit_risk",
    version=Version(1, 0, 0),
    task=Task.BINARY,
    classes=("good", "bad"),
    path=InferencePath.COMPILED,
    parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
    family="lightgbm",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    metrics={"calibration_error": 0.02},
)


CONFIG = {"look_seconds": 0.01, "thresholds": {"psi_critical": 0.3}}


@pytest.fixture
def described(monkeypatch):
    """The pool's answer, as Ray would bring it."""
    rng = np.random.default_rng(4)
    reference = profile(rng, numbers=2, categories=1)
    schema = FeatureSchema(features=(Feature(name="number 0", kind=FeatureKind.NUMBER),))
    answer = PoolDescription(KEY[2], schema, METADATA, reference)

    async def describe(*key):
        return answer if key == KEY else None

    async def nobody(self):
        return frozenset()

    monkeypatch.setattr(pool_descriptions, "_describe", describe)
    monkeypatch.setattr(pool_descriptions.SleepingPools, "names", nobody)
    live = window(rng, reference, 2000, shift=("number 1",))
    live.probability = [20] * 100
    return live


async def page_with(line, live, config=CONFIG, **arguments):
    """The metrics page of a monitor that a gateway told of rows, as soon as it has a line."""
    access = {"mode": "insecure-local"}
    watching = monitor.Monitor({"metrics_port": 0, "access": access, "monitoring": config, **arguments})
    plain = snapshot("a", 1).to_plain()
    counted = {"model": KEY[0], "version": KEY[1], "digest": KEY[2], **live.to_plain()}
    await watching.record(GatewaySnapshot.from_plain({**plain, "distributions": [counted]}).to_plain())
    for _ in range(1000):
        page = generate_latest(watching._registry).decode()
        if line in page:
            break
        await asyncio.sleep(0.01)
    watching._looking.cancel()
    return page


def test_what_gateways_count_becomes_drift_and_an_estimate_on_the_metrics_page(described):
    page = asyncio.run(page_with("ml_model_performance_estimate{", described))
    assert 'raygate_alert_limit{environment="local",limit="psi_critical"} 0.3' in page
    assert 'ml_drift_window_rows{environment="local",model="credit_risk",version="1.0.0"} 2000.0' in page
    assert 'level="not_enough_data",model="credit_risk",version="1.0.0"} 0.0' in page
    assert 'ml_feature_drift_psi{environment="local",feature="number 1"' in page


RECALLING = {**CONFIG, "recall_seconds": 0}
WINDOW = 'ml_drift_window_rows{environment="local",model="credit_risk",version="1.0.0"} '


def test_drift_is_judged_while_the_window_before_the_start_is_still_read(described, monkeypatch, tmp_path):
    async def never_ends(*work):
        await asyncio.Event().wait()

    monkeypatch.setattr(background_task, "run", never_ends)
    page = asyncio.run(page_with(WINDOW + "2000.0", described, RECALLING, request_log=str(tmp_path)))
    assert WINDOW + "2000.0" in page


def test_the_window_before_the_start_counts_as_soon_as_it_is_read(described, monkeypatch, tmp_path):
    async def read(function, log, packages, until, at, span):
        return [Point(at - 60.0, {}), Point(at, {KEY: described})]

    monkeypatch.setattr(background_task, "run", read)
    page = asyncio.run(page_with(WINDOW + "4000.0", described, RECALLING, request_log=str(tmp_path)))
    assert WINDOW + "4000.0" in page


def test_a_log_that_cannot_be_read_costs_the_window_before_the_start_and_no_more(described, monkeypatch, tmp_path):
    async def fail(*work):
        raise OSError

    monkeypatch.setattr(background_task, "run", fail)
    page = asyncio.run(page_with(WINDOW + "2000.0", described, RECALLING, request_log=str(tmp_path)))
    assert WINDOW + "2000.0" in page
