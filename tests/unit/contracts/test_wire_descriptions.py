"""A pool's description of itself: gateway and pool restart separately, at different releases."""

import copy
from datetime import UTC, datetime

import pytest

from deployments.contracts.errors import WireMismatch
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile
from deployments.contracts.transformation import DocumentSchemas
from deployments.contracts.wire import PoolDescription

DESCRIBED = PoolDescription(
    digest="d" * 64,
    schema=FeatureSchema(features=(Feature(name="Age", kind=FeatureKind.NUMBER, nullable=True),)),
    metadata=ModelMetadata(
        model="credit_risk",
        version=Version(1, 0, 0),
        task=Task.BINARY,
        classes=("good", "bad"),
        path=InferencePath.COMPILED,
        parity=Parity(rows=10, max_difference=0.0, label_flips=0, tolerance=1e-4),
        family="lightgbm",
        created=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    reference=ReferenceProfile(
        rows=10, features={"Age": FeatureReference(nulls=1, histogram=Histogram(edges=(0, 50, 99), counts=(4, 5)))}
    ),
    documents=DocumentSchemas(request={"type": "object"}, answer={"type": "object"}),
)


def changed(*path, to="a later release's"):
    """The description as plain data, with something else at a path."""
    plain = copy.deepcopy(DESCRIBED.to_plain())
    place = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return plain


def test_a_description_arrives_as_it_was_sent():
    assert PoolDescription.from_plain(DESCRIBED.to_plain()) == DESCRIBED


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("new",), id="description"),
        pytest.param(("metadata", "new"), id="metadata"),
        pytest.param(("metadata", "parity", "new"), id="parity"),
        pytest.param(("reference", "new"), id="profile"),
        pytest.param(("reference", "features", "Age", "new"), id="feature-of-the-profile"),
        pytest.param(("schema", "new"), id="schema"),
        pytest.param(("documents", "new"), id="documents"),
    ],
)
def test_what_a_newer_pool_adds_is_ignored(path):
    assert PoolDescription.from_plain(changed(*path)) == DESCRIBED


def test_a_pool_without_a_fingerprint_is_an_older_one():
    plain = DESCRIBED.to_plain()
    del plain["schema_fingerprint"]
    assert PoolDescription.from_plain(plain) == DESCRIBED


def test_a_schema_that_means_more_than_can_be_read_is_refused_at_once():
    with pytest.raises(
        WireMismatch, match=f"feature schemas differ: ours {DESCRIBED.schema.fingerprint}, theirs f0f0"
    ):
        PoolDescription.from_plain(changed("schema_fingerprint", to="f0f0"))


def test_another_contract_is_refused():
    with pytest.raises(WireMismatch, match="wire contracts differ: ours 1, theirs 2"):
        PoolDescription.from_plain(changed("contract", to=2))
