import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.contracts import endpoint
from deployments.contracts.errors import UnknownVersion
from deployments.contracts.model_version import Version
from deployments.rollout import policy
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.routing.slot_table import SlotTable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
EXAMPLE = (Path(__file__).parents[3] / "examples/credit-risk/endpoint.yaml").read_text()
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


@pytest.fixture
def store(tmp_path):
    return EndpointStore(tmp_path / "state" / "endpoints.db")


@pytest.fixture
def wanted():
    document = endpoint.parse(EXAMPLE, "endpoint.yaml")
    return WantedEndpoint(document, 1, policy.from_document(document, 1))


def test_what_was_decided_is_there_after_a_restart(store, wanted, tmp_path):
    store.decide(wanted, "apply", {"weights": {"1.0.0": 90}}, NOON)
    again = EndpointStore(tmp_path / "state" / "endpoints.db")
    assert again.endpoints() == {"credit-risk": wanted}
    assert again.last_epoch() == 1
    (decision,) = again.history("credit-risk")
    assert (decision.at, decision.action, decision.detail) == (NOON, "apply", {"weights": {"1.0.0": 90}})


def test_a_decision_replaces_what_is_wanted_and_is_added_to_the_history(store, wanted):
    store.decide(wanted, "apply", {}, NOON)
    override = WantedEndpoint(wanted.document, 1, policy.with_weights(wanted.policy, {V1: 50, V2: 50}, 2))
    store.decide(override, "traffic", {}, NOON)
    assert store.endpoints()["credit-risk"].policy.policy_epoch == 2
    assert [decision.action for decision in store.history("credit-risk")] == ["apply", "traffic"]


def test_an_endpoint_that_is_deleted_leaves_its_history(store, wanted):
    store.decide(wanted, "apply", {}, NOON)
    store.forget(wanted, NOON)
    assert store.endpoints() == {}
    assert [decision.action for decision in store.history("credit-risk")] == ["apply", "delete"]
    assert store.last_epoch() == 1


@pytest.mark.parametrize("statement", ["DELETE FROM decisions", "UPDATE decisions SET action = 'x'"])
def test_the_history_cannot_be_rewritten(store, wanted, tmp_path, statement):
    store.decide(wanted, "apply", {}, NOON)
    database = sqlite3.connect(tmp_path / "state" / "endpoints.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        database.execute(statement)
    database.close()


def test_a_decision_that_cannot_be_written_leaves_nothing_half_done(store, wanted):
    with pytest.raises(TypeError):
        store.decide(wanted, "apply", {"not json": object()}, NOON)
    assert store.endpoints() == {}
    assert store.history("credit-risk") == []


def test_a_changed_file_moves_as_few_units_as_its_weights_require(wanted):
    document = endpoint.parse(EXAMPLE.replace("1.0.0: 90, 1.1.0: 10", "1.0.0: 75, 1.1.0: 25"), "endpoint.yaml")
    overridden = policy.with_weights(wanted.policy, {V1: 70, V2: 30}, 2)
    changed = policy.from_document(document, 3, overridden)
    moved = sum(
        a != b for a, b in zip(SlotTable(overridden.slots).owners, SlotTable(changed.slots).owners, strict=True)
    )
    assert moved == 500
    assert changed.salt == wanted.policy.salt


def test_an_override_cannot_name_a_version_without_a_pool(wanted):
    with pytest.raises(UnknownVersion, match=r"2\.0\.0; known: 1\.0\.0, 1\.1\.0"):
        policy.with_weights(wanted.policy, {Version(2, 0, 0): 100}, 2)
