from datetime import UTC, datetime

import numpy as np

from deployments.batch import prediction_ids
from deployments.contracts import prediction_id

PLANNED = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=UTC)


def make(unit, rows, key="job", first=0):
    return prediction_ids.make(prediction_ids.numbers(unit, first, rows), key, PLANNED, "beef").to_pylist()


def test_an_id_tells_time_and_version_as_those_of_the_gateway_do():
    for text in make(3, 50):
        known = prediction_id.read(text)
        assert (known.text, known.at, known.tag) == (text, PLANNED, "beef")


def test_no_two_rows_of_a_job_share_an_id():
    texts = [text for unit in range(20) for text in make(unit, 5000)]
    assert len(set(texts)) == len(texts)


def test_a_unit_that_is_scored_again_has_the_same_ids_and_another_job_has_none_of_them():
    assert make(2, 100) == make(2, 60) + make(2, 40, first=60)
    assert not set(make(2, 1000)) & set(make(2, 1000, key="other job"))


def test_draws_are_uniform_and_independent_of_ids():
    numbers = prediction_ids.numbers(0, 0, 100_000)
    draws = prediction_ids.draws(numbers, "job")
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.abs(np.histogram(draws, bins=10, range=(0, 1))[0] - 10_000).max() < 500
    ids = prediction_ids.permuted(numbers, "job") / 2.0**58
    assert abs(np.corrcoef(draws, ids)[0, 1]) < 0.02
