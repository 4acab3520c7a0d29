"""One rule for every place that returns a label or writes one."""

import numpy as np
import pytest

from deployments.contracts import labels


@pytest.mark.parametrize(
    ("label", "text"),
    [
        pytest.param(True, "true", id="boolean"),
        pytest.param(1, "1", id="number"),
        pytest.param(1.0, "1", id="whole-number-with-a-decimal-point"),
        pytest.param(-2.0, "-2", id="negative-whole-number"),
        pytest.param(1.5, "1.5", id="quantity"),
        pytest.param(1e22, "1e+22", id="huge-quantity"),
        pytest.param("1.0", "1.0", id="text-that-looks-like-a-number"),
        pytest.param("True", "True", id="text"),
        pytest.param({"width": 1.5}, '{"width": 1.5}', id="targets"),
    ],
)
def test_a_label_is_written_as_json_writes_it(label, text):
    assert labels.text(label) == text


@pytest.mark.parametrize(
    ("scores", "threshold", "position"),
    [
        pytest.param([0.4, 0.6], 0.6, 1, id="at-the-threshold"),
        pytest.param([0.41, 0.59], 0.6, 0, id="likelier-but-below"),
        pytest.param([0.2, 0.5, 0.3], 0.9, 1, id="likeliest-of-three"),
        pytest.param([0.4, 0.2, 0.4], 0.5, 0, id="first-of-equals"),
    ],
)
def test_a_row_alone_and_among_others_gets_the_same_label(scores, threshold, position):
    assert labels.position(scores, threshold) == position
    assert labels.positions(np.array([scores, scores]), threshold).tolist() == [position, position]
