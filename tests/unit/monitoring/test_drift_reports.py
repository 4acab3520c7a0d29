"""Reports that wait for whoever the alert wakes: when they are asked for. What is in them: tests/model."""

import asyncio
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from reference_profiles import profile, window

from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.wire import PoolDescription
from monitoring.drift.judgement import judge
from monitoring.drift.limits import DriftLimits
from ray_apps.drift_reports import AGAIN_AFTER, PAUSE, DriftReports

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = ("credit_risk", "1.0.0", "d" * 64)
PACKAGES = {KEY: PoolDescription(KEY[2], None, None, None, directory="/models/credit_risk/v1.0.0")}


@pytest.fixture
def judged():
    rng = np.random.default_rng(5)
    reference = profile(rng, numbers=2, categories=1)

    def make(*shift):
        return {KEY: judge(reference, window(rng, reference, 2000, shift=shift), DriftLimits())}

    return make


class Elsewhere:
    """Another process that a test breaks."""

    def __init__(self):
        self.asked, self.broken = [], False

    async def __call__(self, log, directory, name, now, limits):
        self.asked.append((directory, name, now))
        if self.broken:
            raise OSError("the bucket does not answer")
        return f"{log}/drift-reports/x.html"


def looked(judged, minutes, packages=PACKAGES, log="/log", broken=False):
    """Moments, in minutes from noon, at which a report was asked for."""
    elsewhere = Elsewhere()
    elsewhere.broken = broken

    async def look():
        reports = DriftReports(log, elsewhere)
        for after in minutes:
            reports.look(judged, packages, NOON + timedelta(minutes=after))
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(look())
    assert all(
        asked[:2] == ("/models/credit_risk/v1.0.0", ModelVersion("credit_risk", Version(1, 0, 0)))
        for asked in elsewhere.asked
    )
    return [(at - NOON) / timedelta(minutes=1) for _, _, at in elsewhere.asked]


HOURS = PAUSE / timedelta(minutes=1)
AGAIN = AGAIN_AFTER / timedelta(minutes=1)


def test_critical_drift_has_one_report_and_the_next_after_a_pause(judged):
    assert looked(judged("category 0"), [0, 1, HOURS - 1, HOURS, HOURS + 1]) == [0, HOURS]


def test_one_that_could_not_be_made_is_tried_again_soon_and_harms_nobody(judged):
    assert looked(judged("category 0"), [0, AGAIN / 2, AGAIN, 1.5 * AGAIN], broken=True) == [0, AGAIN]


def test_without_critical_drift_nothing_is_made(judged):
    assert looked(judged(), [0, HOURS]) == []


@pytest.mark.parametrize(
    "lacking",
    [
        pytest.param({"log": ""}, id="no-log"),
        pytest.param({"packages": {}}, id="no-pool-has-told"),
        pytest.param({"packages": {KEY: PoolDescription(KEY[2], None, None, None)}}, id="a-pool-of-before"),
    ],
)
def test_what_a_report_is_made_from_may_be_away(judged, lacking):
    assert looked(judged("category 0"), [0], **lacking) == []
