from datetime import UTC, datetime

import pytest

from deployments.batch.estimate import BYTES_PER_SECOND, START_SECONDS, Measured, completion

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("measured", "seconds"),
    [
        pytest.param([], START_SECONDS + 1e6 / BYTES_PER_SECOND, id="never-measured"),
        pytest.param([Measured(1_000_000, START_SECONDS + 10)], START_SECONDS + 10, id="as-last-time"),
        pytest.param(
            [Measured(1_000_000, START_SECONDS + took) for took in (10, 20, 500)], START_SECONDS + 20, id="median"
        ),
        pytest.param([Measured(0, 99)], START_SECONDS + 1e6 / BYTES_PER_SECOND, id="an-empty-one-says-nothing"),
    ],
)
def test_the_end_follows_from_size_and_what_was_measured(measured, seconds):
    assert (completion(NOON, 1_000_000, measured) - NOON).total_seconds() == pytest.approx(seconds)
