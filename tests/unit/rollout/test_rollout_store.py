"""The store on SQLite and its double do the same."""

import contextlib
import dataclasses
import sqlite3
import threading
from datetime import timedelta

import pytest
from rollout_examples import NAME, NOON, V1, V2, wanted_endpoint

from deployments.contracts.traffic_policy import Condition, Rule
from deployments.rollout import policy, starting
from deployments.rollout.control_database import Decision
from deployments.rollout.controller import change_of
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import NotLeading, RolloutChanged
from deployments.rollout.rollout_store import Change, MemoryRolloutStore
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.rollout.state import Phase

LEASE = timedelta(seconds=15)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "endpoints.db"
    EndpointStore(path).decide(wanted_endpoint(), "apply", {}, NOON)
    return path


@pytest.fixture(params=["sqlite", "memory"])
def store(request, file):
    if request.param == "memory":
        return MemoryRolloutStore(wanted={NAME: wanted_endpoint()})
    return SqliteRolloutStore(file)


@pytest.fixture
def rollout(store):
    return starting.start(store.endpoints()[NAME], None, V2, None, "ann", NOON)


def test_a_decision_is_written_with_the_weights_that_follow(store, rollout):
    written = store.write(change_of(store, rollout, NOON, actor="ann"))
    assert store.rollouts() == {NAME: written}
    assert dict(store.endpoints()[NAME].policy.slots) == {V1: 9000, V2: 1000}
    assert store.last_epoch() == 2
    last = store.history(NAME)[-1]
    assert (last.at, last.action, last.detail["actor"]) == (NOON, "rollout progressing", "ann")


def test_what_was_decided_on_old_facts_is_refused_whole(store, rollout):
    written = store.write(change_of(store, rollout, NOON))
    store.write(Change(written))
    decisions = len(store.history(NAME))
    stale = Change(written, Decision(NOON, NAME, "late", 9, {}), wanted_endpoint())
    with pytest.raises(RolloutChanged):
        store.write(stale)
    assert len(store.history(NAME)) == decisions
    assert store.endpoints()[NAME].policy.policy_epoch == 2


def test_weights_made_from_a_policy_that_is_another_by_now_are_refused_whole(store, rollout):
    made = change_of(store, rollout, NOON)
    store.write(change_of(store, rollout, NOON))  # somebody else's, of the same moment
    begun = store.rollouts()
    with pytest.raises(RolloutChanged):
        store.write(dataclasses.replace(made, rollout=rollout.model_copy(update={"name": "another"})))
    assert store.rollouts() == begun


def test_a_rollout_that_is_not_the_latest_any_more_is_written_no_more(store, rollout):
    over = store.write(change_of(store, rollout, NOON))
    latest = store.write(Change(rollout.model_copy(update={"name": "the next one"})))
    with pytest.raises(RolloutChanged):
        store.write(Change(over))
    assert store.rollouts() == {NAME: latest}


def test_only_the_leader_decides(store, rollout):
    assert store.lead("one", NOON, LEASE)
    assert not store.lead("two", NOON + LEASE / 2, LEASE)
    written = store.write(dataclasses.replace(change_of(store, rollout, NOON), leader="one"))
    assert store.lead("two", NOON + LEASE, LEASE)
    with pytest.raises(NotLeading):
        store.write(Change(written, leader="one"))
    assert store.rollouts()[NAME].revision == written.revision


def test_a_lease_is_renewed_by_its_holder(store):
    assert store.lead("one", NOON, LEASE)
    assert store.lead("one", NOON + LEASE / 2, LEASE)
    assert not store.lead("two", NOON + LEASE, LEASE)


def test_the_next_rollout_of_an_endpoint_takes_the_place_of_the_last(store, rollout):
    store.write(change_of(store, rollout, NOON))
    again = starting.start(wanted_endpoint(), None, V2, None, "ann", NOON + timedelta(days=1))
    store.write(change_of(store, again, NOON))
    assert store.rollouts()[NAME].name == again.name


def test_a_rollout_survives_its_way_through_the_file(file):
    store = SqliteRolloutStore(file)
    rollout = starting.start(store.endpoints()[NAME], None, V2, None, "ann", NOON)
    written = store.write(change_of(store, rollout, NOON))
    assert SqliteRolloutStore(file).rollouts() == {NAME: written}


def test_a_file_of_before_rollouts_gets_their_tables(tmp_path):
    path = tmp_path / "old.db"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE endpoints (name TEXT PRIMARY KEY, generation INTEGER NOT NULL, document TEXT NOT NULL,"
        " policy TEXT NOT NULL); CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL,"
        " endpoint TEXT NOT NULL, action TEXT NOT NULL, policy_epoch INTEGER NOT NULL, detail TEXT NOT NULL);"
    )
    database.close()
    assert SqliteRolloutStore(path).rollouts() == {}


STAFF, OTHERS = (
    Rule(name=name, when=Condition(header={"x-staff": name}), version=version)
    for name, version in (("candidate", V2), ("stable", V1))
)


def with_rules(*in_force):
    """The endpoint, whose owner wants a rule for each of its versions."""
    wanted = wanted_endpoint()
    traffic = wanted.document.spec.traffic.model_copy(update={"rules": (STAFF, OTHERS)})
    document = wanted.document.model_copy(
        update={"spec": wanted.document.spec.model_copy(update={"traffic": traffic})}
    )
    return WantedEndpoint(document, 1, wanted.policy.model_copy(update={"rules": in_force}))


@pytest.mark.parametrize(
    ("in_force", "update", "rules"),
    [
        pytest.param(
            (STAFF, OTHERS), {"phase": Phase.AWAITING_APPROVAL, "weight": 0}, (OTHERS,), id="before-its-approval"
        ),
        pytest.param((OTHERS,), {"weight": 10}, (STAFF, OTHERS), id="back-with-its-first-weight"),
        pytest.param(
            (STAFF, OTHERS), {"phase": Phase.ROLLED_BACK, "weight": 0}, (OTHERS,), id="withdrawn-with-it"
        ),
        pytest.param(
            (STAFF, OTHERS), {"phase": Phase.PROMOTED, "weight": 100}, (STAFF, OTHERS), id="kept-by-a-promotion"
        ),
        pytest.param((STAFF,), {"weight": 10}, (STAFF,), id="one-that-another-rollout-took-away-stays-away"),
    ],
)
def test_rules_send_requests_to_the_candidate_only_while_it_has_weight(store, rollout, in_force, update, rules):
    moved = rollout.at(rollout.state.model_copy(update=update))
    assert policy.of_rollout(with_rules(*in_force), moved, 2).rules == rules


def test_of_two_that_write_at_the_same_moment_one_is_refused(file):
    first = SqliteRolloutStore(file)
    first.write(Change(starting.start(first.endpoints()[NAME], None, V2, None, "ann", NOON)))
    begun, written = threading.Barrier(4), []

    def write():
        store = SqliteRolloutStore(file)
        begun.wait()
        for _ in range(50):
            with contextlib.suppress(RolloutChanged):
                written.append(store.write(Change(store.rollouts()[NAME])).revision)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(set(written)) == len(written)
    assert first.rollouts()[NAME].revision == max(written)
