import json
from datetime import UTC, datetime

import numpy as np
import pytest

from deployments.contracts.explanations import Explanation, ExplanationMethod, Explanations, Unexplained
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.wire import Columns, PoolReply, PoolRequest

SCHEMA = FeatureSchema(
    features=(
        Feature(name="Age", kind=FeatureKind.NUMBER),
        Feature(name="Job", kind=FeatureKind.CATEGORY, categories=("fixed",)),
    )
)
FOUND = Explanation(
    ExplanationMethod.SAMPLING_SHAPLEY, np.array([0.5, -1.0, 2.0]), np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
)
EXPLANATIONS = Explanations({3: FOUND, 5: FOUND}, {4: Unexplained.NOT_ADDITIVE}, 0.25)


def request(**others):
    columns = Columns(np.zeros((2, 1)), np.ones((2, 1), dtype=bool), (["a", None],))
    return PoolRequest("f" * 16, columns, ["1", "2"], 1.0, **others)


def reply(explanations):
    return PoolReply("d" * 64, "compiled", np.zeros((6, 3)), explanations=explanations)


def metadata(task, classes):
    return ModelMetadata(
        model="credit_risk",
        version=Version(1, 0, 0),
        task=task,
        classes=classes,
        path=InferencePath.NATIVE,
        parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
        family="any",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_the_rows_that_ask_arrive():
    assert PoolRequest.from_plain(request(explain=(0, 1)).to_plain()).explain == (0, 1)


@pytest.mark.parametrize("plain", [request().to_plain(), reply(None).to_plain()], ids=["request", "reply"])
def test_without_explanations_the_wire_is_that_of_older_peers(plain):
    assert not plain.keys() & {"explain", "explanations"}


def test_what_an_older_peer_leaves_out_means_none():
    assert PoolRequest.from_plain(request().to_plain()).explain == ()
    assert PoolReply.from_plain(reply(None).to_plain()).explanations is None


def test_explanations_survive_the_wire():
    arrived = PoolReply.from_plain(reply(EXPLANATIONS).to_plain()).explanations
    assert arrived.unexplained == EXPLANATIONS.unexplained
    assert arrived.seconds == 0.25
    assert arrived.explained.keys() == {3, 5}
    assert arrived.explained[3].method == FOUND.method
    np.testing.assert_array_equal(arrived.explained[3].base_values, FOUND.base_values)
    np.testing.assert_array_equal(arrived.explained[3].contributions, FOUND.contributions)


def test_a_method_and_a_reason_of_a_later_release_do_not_break_the_reply():
    plain = reply(EXPLANATIONS).to_plain()
    plain["explanations"]["explained"][3]["method"] = "asked_an_oracle"
    plain["explanations"]["unexplained"][4] = "oracle_on_leave"
    arrived = PoolReply.from_plain(plain).explanations
    assert arrived.explained[3].method == "asked_an_oracle"
    assert arrived.unexplained == {4: "oracle_on_leave"}


def test_each_caller_of_a_shared_call_gets_its_own_rows_counted_from_zero():
    part = EXPLANATIONS.part(3, 5)
    assert (list(part.explained), dict(part.unexplained)) == ([0], {1: Unexplained.NOT_ADDITIVE})
    assert EXPLANATIONS.part(0, 3) == Explanations(seconds=0.25)


@pytest.mark.parametrize(
    ("task", "classes", "returned", "expected"),
    [
        pytest.param(
            Task.BINARY,
            ("good", "bad"),
            0,
            {"scale": "log_odds", "of": "bad", "base_value": 0.5, "contributions": {"Age": 0.1, "Job": 0.2}},
            id="two-classes-always-the-second",
        ),
        pytest.param(
            Task.MULTICLASS,
            ("low", "middle", "high"),
            2,
            {
                "scale": "log_probability",
                "of": "high",
                "base_value": 2.0,
                "contributions": {"Age": 0.5, "Job": 0.6},
            },
            id="the-returned-class-of-three",
        ),
        pytest.param(
            Task.REGRESSION,
            (),
            0,
            {"scale": "value", "base_value": 0.5, "contributions": {"Age": 0.1, "Job": 0.2}},
            id="a-value",
        ),
    ],
)
def test_a_caller_reads_contributions_by_feature(task, classes, returned, expected):
    document = FOUND.document(SCHEMA, metadata(task, classes), returned)
    assert json.loads(json.dumps(document)) == {"method": "sampling_shapley", **expected}
