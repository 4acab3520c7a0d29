"""A worker's share of the prepared rows, on its disk."""

import numpy as np
import pytest

from training.distributed import shard
from training.distributed.shard import ROWS, TARGET


def lots(*targets):
    return [{ROWS: np.full((len(one), 2), one[0], dtype=np.float32), TARGET: np.array(one)} for one in targets]


def test_lots_are_read_back_one_after_another(tmp_path):
    found = shard.write(lots([1, 1], [0]), tmp_path)
    np.testing.assert_array_equal(found.rows, [[1, 1], [1, 1], [0, 0]])
    assert found.rows.dtype == np.float32
    assert found.target.tolist() == [1, 1, 0]


def test_a_worker_without_rows_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="more workers than lots"):
        shard.write([], tmp_path)


def test_a_label_that_a_shard_lacks_is_added_without_weight(tmp_path):
    examples = {position: np.array([position, 9.0]) for position in range(3)}
    found, weights = shard.with_every_label(shard.write(lots([0], [2]), tmp_path), examples, tmp_path)
    np.testing.assert_array_equal(found.rows, [[0, 0], [2, 2], [1, 9]])
    assert found.target.tolist() == [0, 2, 1]
    assert weights.tolist() == [1, 1, 0]


@pytest.mark.parametrize("examples", [{}, {1: np.zeros(2)}], ids=["values", "all-labels-there"])
def test_a_shard_that_lacks_nothing_stays_as_it_is(tmp_path, examples):
    written = shard.write(lots([1, 1]), tmp_path)
    assert shard.with_every_label(written, examples, tmp_path) == (written, None)
