from datetime import timedelta
from pathlib import Path

import pytest

from deployments.contracts import endpoint
from deployments.contracts.errors import InvalidDocument
from deployments.contracts.model_version import Version

EXAMPLE = Path(__file__).parents[3] / "examples/credit-risk/endpoint.yaml"
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


def parse(old: str = "", new: str = "") -> endpoint.ModelEndpoint:
    """The example's file with one piece of text replaced."""
    text = EXAMPLE.read_text()
    text = text[text.index("apiVersion:") :]  # lines count from there, whatever the comment above says
    assert old in text
    return endpoint.parse(text.replace(old, new) if old else text, "endpoint.yaml")


def test_the_example_says_ninety_to_ten():
    document = parse()
    assert document.name == "credit-risk"
    assert document.spec.weights == {V1: 90, V2: 10}
    assert document.spec.stable == V1


def test_a_split_may_name_roles():
    assert parse("{1.0.0: 90, 1.1.0: 10}", "{stable: 75, candidate: 25}").spec.weights == {V1: 75, V2: 25}


def test_a_version_that_the_split_leaves_out_gets_nothing():
    assert parse("{1.0.0: 90, 1.1.0: 10}", "{1.0.0: 100}").spec.weights == {V1: 100, V2: 0}


def test_a_lower_bound_alone_fixes_the_size_of_a_pool():
    scaling = parse("role: stable}", "role: stable, scaling: {minReplicas: 3}}").spec.versions[0].scaling
    assert (scaling.min_replicas, scaling.max_replicas) == (3, 3)


def scaling_of_the_candidate(text):
    return parse("role: candidate}", f"role: candidate, scaling: {text}}}").spec.versions[1].scaling


@pytest.mark.parametrize(
    ("text", "bounds", "sleeps_after"),
    [
        pytest.param("{minReplicas: 0}", (0, 1), timedelta(minutes=10), id="ten-minutes-and-one-replica"),
        pytest.param(
            "{minReplicas: 0, maxReplicas: 4, idleAfter: 90s}", (0, 4), timedelta(seconds=90), id="as-it-says"
        ),
        pytest.param("{minReplicas: 1, maxReplicas: 4}", (1, 4), None, id="never"),
    ],
)
def test_a_pool_that_may_have_no_replica_sleeps_after_a_while(text, bounds, sleeps_after):
    scaling = scaling_of_the_candidate(text)
    assert (scaling.min_replicas, scaling.max_replicas) == bounds
    assert scaling.sleeps_after == sleeps_after


def test_a_version_that_becomes_stable_sleeps_no_more():
    scaling = scaling_of_the_candidate("{minReplicas: 0, maxReplicas: 4, idleAfter: 90s}").always_awake()
    assert (scaling.min_replicas, scaling.max_replicas, scaling.sleeps_after) == (1, 4, None)


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        pytest.param(
            "role: stable}",
            "role: stable, scaling: {minReplicas: 0}}",
            "spec.versions[0] (line 7)",
            "scaling.minReplicas is 0, but 1.0.0 is stable, which must always be able to answer: give it 1",
            id="stable-that-sleeps",
        ),
        pytest.param(
            "role: candidate}",
            "role: candidate, scaling: {minReplicas: 1, idleAfter: 5m}}",
            "spec.versions[1].scaling (line 8)",
            "idleAfter needs minReplicas 0: with 1 a pool never sleeps",
            id="idle-and-never-asleep",
        ),
        pytest.param(
            "role: candidate}",
            "role: candidate, scaling: {minReplicas: 0, idleAfter: 9s}}",
            "spec.versions[1].scaling",
            "idleAfter is at least 10s",
            id="idle-at-once",
        ),
        pytest.param("1.1.0: 10", "1.1.0: 20", "spec (line", "add up to 110, not to 100", id="sum"),
        pytest.param("1.1.0: 10", "1.2.0: 10", "spec (line", "'1.2.0' names no versions", id="unknown-version"),
        pytest.param(
            "1.0.0: 90, 1.1.0: 10", "1.0.0: 100.001, 1.1.0: -0.001", "spec (line", "1.1.0 has -0", id="negative"
        ),
        pytest.param(
            "1.0.0: 90, 1.1.0: 10", "1.0.0: 99.999, 1.1.0: 0.001", "spec (line", "at least 0.01", id="too-fine"
        ),
        pytest.param(
            "1.0.0: 90, 1.1.0: 10", "1.0.0: 90, stable: 10", "spec (line", "1.0.0 stands twice", id="twice"
        ),
        pytest.param(
            "role: candidate", "role: stable", "spec (line", "exactly one version must have", id="two-stables"
        ),
        pytest.param(
            "version: 1.1.0", "version: 1.0.0", "spec (line", "versions named twice: 1.0.0", id="same-version"
        ),
        pytest.param("version: 1.1.0", "version: 1.1", "spec.versions[1].version (line 8)", "quote", id="float"),
        pytest.param(
            "role: candidate", "rol: candidate", "spec.versions[1].rol (line 8)", "unknown field", id="misspelt"
        ),
        pytest.param("kind: Model", "kind: Modl", "kind (line 2)", "ModelEndpoint", id="kind"),
        pytest.param("name: credit-risk", "name: Credit_Risk", "metadata.name (line 3)", "lower-case", id="name"),
        pytest.param("model: credit_risk", "model: credit-risk", "spec.model (line 5)", "underscores", id="model"),
        pytest.param("header: x-user-id", "header: a, feature: b", "stickyBy", "one of them", id="two-units"),
        pytest.param("split: {1.0.0: 90, 1.1.0: 10}", "", "spec.traffic.split", "required", id="no-split"),
        pytest.param("kind:", "kind: x\nkind:", "kind (line 3)", "stands twice", id="repeated-key"),
        pytest.param("{1.0.0: 90, 1.1.0: 10}", "{1.0.0: .nan}", "spec.traffic.split.1.0.0", "finite", id="nan"),
        pytest.param(
            "  traffic:", "  limits: {deadlineSeconds: .inf}\n  traffic:", "deadlineSeconds", "finite", id="inf"
        ),
        pytest.param("header: x-user-id", 'header: ""', "stickyBy.header", "at least 1", id="empty-header"),
        pytest.param("name: credit-risk", "name: 2024-13-45", "document", "cannot be read", id="no-such-date"),
        pytest.param("metadata: {", "metadata: {{", "document (line 4)", "is not YAML", id="not-yaml"),
    ],
)
def test_a_wrong_file_names_the_field_and_its_line(old, new, where, message):
    with pytest.raises(InvalidDocument) as refused:
        parse(old, new)
    assert where in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "3", "- a"], ids=["empty", "comment", "number", "list"])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(InvalidDocument, match=r"endpoint\.yaml"):
        endpoint.parse(text, "endpoint.yaml")
