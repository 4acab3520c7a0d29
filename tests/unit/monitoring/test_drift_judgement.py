import time

import numpy as np
import pytest
from reference_profiles import profile, window
from scipy import stats

from deployments.contracts.distributions import Distributions, FeatureCounts
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from monitoring.drift import psi
from monitoring.drift.judgement import judge
from monitoring.drift.limits import DriftLimits, Level
from monitoring.errors import InvalidLimits

LIMITS = DriftLimits()
WINDOWS = 200
SIGNIFICANCE = 0.05


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_what_has_moved_is_found_and_what_has_not_is_left_alone(rng):
    reference = profile(rng)
    drift = judge(reference, window(rng, reference, 1000, shift=("number 3", "category 4")), LIMITS)
    moved = {name for name, one in drift.features.items() if one.level is not Level.STABLE}
    assert moved == {"number 3", "category 4"}
    assert drift.features["category 4"].level is Level.CRITICAL
    assert {name for name, _ in drift.worst(2)} == moved
    assert drift.drifted_share == pytest.approx(2 / 20)
    assert drift.features["number 3"].adjusted_p_value < 1e-6
    assert drift.score.level is Level.STABLE


def test_without_shift_false_alarms_over_two_hundred_windows_stay_at_their_nominal_rate(rng):
    alarms, judged, warnings = 0, 0, 0
    for _ in range(WINDOWS):
        reference = profile(rng, numbers=4, categories=4)
        drift = judge(reference, window(rng, reference, 600), LIMITS)
        assert drift.counted()[Level.NOT_ENOUGH_DATA] == 0
        alarms += any(one.adjusted_p_value < SIGNIFICANCE for one in drift.features.values())
        judged += len(drift.features)
        warnings += sum(one.level is not Level.STABLE for one in drift.features.values())
    # So many are what chance alone exceeds once in a hundred runs, were the rates exactly the nominal ones.
    assert alarms <= stats.binom.ppf(0.99, WINDOWS, SIGNIFICANCE)
    assert warnings <= stats.binom.ppf(0.99, judged, 1 - LIMITS.certainty)


@pytest.mark.parametrize("rows", [0, 1, 50, 200])
def test_a_small_window_is_not_enough_data_and_never_stable(rng, rows):
    reference = profile(rng, numbers=2, categories=0)
    drift = judge(reference, window(rng, reference, rows, shift=("number 0",)), LIMITS)
    assert drift.counted()[Level.NOT_ENOUGH_DATA] == 2
    assert drift.drifted_share is None
    assert all(one.psi is None and one.p_value is None for one in drift.features.values())


def test_at_the_computed_window_limit_the_index_is_judged_and_one_row_below_it_is_not(rng):
    reference = profile(rng, numbers=1, categories=0)  # 3,000 rows in ten bins
    limit = next(
        rows for rows in range(1, 3000) if psi.quantile_without_shift(10, 3000, rows, 0.99) < LIMITS.warning
    )
    assert limit == 234  # as docs/monitoring.md says
    below, at = (judge(reference, window(rng, reference, rows), LIMITS) for rows in (limit - 1, limit))
    assert below.features["number 0"].level is Level.NOT_ENOUGH_DATA
    assert below.features["number 0"].psi is None
    assert at.features["number 0"].level is not Level.NOT_ENOUGH_DATA
    assert at.features["number 0"].psi is not None


def test_a_category_that_training_never_saw_is_drift_and_is_counted_as_outside():
    reference = ReferenceProfile(
        rows=1000, features={"Job": FeatureReference(nulls=0, categories={"fixed": 700, "freelance": 300})}
    )
    live = Distributions(1000, {"Job": FeatureCounts([500, 200], outside=300)})
    drift = judge(reference, live, LIMITS)
    assert drift.features["Job"].level is Level.CRITICAL
    assert drift.quality["Job"].outside_ratio == pytest.approx(0.3)


def test_missing_values_are_quality_and_not_drift():
    histogram = Histogram(edges=(0.0, 0.5, 1.0), counts=(500, 400))
    reference = ReferenceProfile(rows=1000, features={"Income": FeatureReference(nulls=100, histogram=histogram)})
    live = Distributions(1000, {"Income": FeatureCounts([278, 222], nulls=500)})
    drift = judge(reference, live, LIMITS)
    assert drift.features["Income"].level is Level.STABLE
    assert drift.quality["Income"].excess_nulls == pytest.approx(0.4)


def test_fifty_features_of_ten_thousand_rows_are_judged_in_well_under_two_seconds(rng):
    reference = profile(rng, numbers=40, categories=10)
    live = window(rng, reference, 10_000)
    began = time.process_time()
    judge(reference, live, LIMITS)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param({"warning": 0.3}, "warning is 0.3; must be above 0 and below critical", id="order"),
        pytest.param({"certainty": 1.0}, "certainty is 1.0; must be between 0 and 1", id="certainty"),
    ],
)
def test_limits_out_of_range_are_refused_by_name(limits, told):
    with pytest.raises(InvalidLimits, match=told):
        DriftLimits(**limits)
