"""How much traffic each arm earns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.contracts.model_version import Version
from deployments.routing.bandit import Arm, probabilities_best, weights

V1, V2, V3 = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)
COUNTS = st.builds(Arm, st.integers(0, 10_000), st.integers(0, 10_000))


@pytest.mark.parametrize(
    "arms",
    [
        pytest.param([Arm(3, 10), Arm(5, 9), Arm()], id="little-feedback"),
        pytest.param([Arm(50_000, 950_000), Arm(50_500, 949_500)], id="narrow-posteriors"),
        pytest.param([Arm(100, 0), Arm(99, 1)], id="at-the-edge"),
    ],
)
def test_the_probability_of_being_best_is_what_sampling_finds(arms):
    draws = np.random.default_rng(0).beta(
        [1 + arm.successes for arm in arms], [1 + arm.failures for arm in arms], (200_000, len(arms))
    )
    sampled = np.bincount(draws.argmax(axis=1), minlength=len(arms)) / len(draws)
    # five standard deviations of a sampled share
    assert probabilities_best(arms) == pytest.approx(sampled, abs=5 * 0.5 / len(draws) ** 0.5)


@given(st.lists(COUNTS, min_size=2, max_size=6), st.floats(0.5, 16))
def test_weights_add_up_and_no_arm_is_below_the_floor(arms, floor):
    made = weights({Version(1, minor, 0): arm for minor, arm in enumerate(arms)}, floor)
    assert sum(made.values()) == pytest.approx(100)
    assert min(made.values()) >= floor - 1e-6


def test_the_better_arm_gets_more_and_the_floor_stays():
    made = weights({V1: Arm(50, 950), V2: Arm(90, 910), V3: Arm(40, 960)}, floor=5)
    assert made == {V1: 5, V2: 90, V3: 5}


def test_without_feedback_all_arms_are_equal():
    assert weights({V1: Arm(), V2: Arm()}, floor=5) == {V1: 50, V2: 50}


@pytest.mark.parametrize(
    ("arms", "floor"),
    [pytest.param({V1: Arm()}, 5, id="one-arm"), pytest.param({V1: Arm(), V2: Arm()}, 51, id="floors")],
)
def test_what_cannot_be_shared_out_is_refused(arms, floor):
    with pytest.raises(ValueError, match="floor"):
        weights(arms, floor)
