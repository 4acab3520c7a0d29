import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from deployments.access import database, key_life
from deployments.access.audit import Action
from deployments.access.errors import (
    InvalidCallerName,
    InvalidLifetime,
    KeyNotLive,
    NameTaken,
    StoreUnavailable,
    UnknownKey,
)
from deployments.access.key_life import Actor
from deployments.access.key_store import MemoryKeyStore
from deployments.access.roles import Role
from deployments.access.stores import open_store

ADA = Actor("ada@workshop", "command-line")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'deep' / 'access.db'}"


@pytest.fixture(params=["sqlite", "empty_postgresql"])
def uri(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["memory", "sqlite", "empty_postgresql"])
def store(request):
    if request.param == "memory":
        return MemoryKeyStore()
    return open_store(request.getfixturevalue(request.param), create=True).keys


def create(store, name="checkout", role=Role.PREDICTOR, now=NOON, **options):
    return key_life.create(store, name, role, ADA, now, **options)


def test_a_key_lives_for_thirty_days_and_only_its_hash_is_kept(store):
    minted = create(store, role=Role.OPERATOR)
    (key,) = store.read()
    assert (key.key_id, key.name, key.role) == (minted.key_id, "checkout", Role.OPERATOR)
    assert (key.created, key.expires, key.revoked) == (NOON, NOON + timedelta(days=30), None)
    assert key.digest == minted.digest
    assert minted.text not in repr(key)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        pytest.param(lambda store, key_id: None, "live", id="untouched"),
        pytest.param(lambda store, key_id: key_life.revoke(store, key_id, ADA, NOON), "revoked", id="revoked"),
        pytest.param(
            lambda store, key_id: key_life.rotate(store, key_id, ADA, NOON, overlap=timedelta(hours=1)),
            "expired",
            id="rotated",
        ),
    ],
)
def test_a_key_that_was_replaced_or_taken_back_does_not_live_on(store, change, state):
    change(store, create(store).key_id)
    assert store.read()[0].state(NOON + timedelta(hours=1)) == state


def test_rotation_keeps_caller_and_role_and_gives_a_new_term(store):
    old = create(store, role=Role.APPROVER)
    later = NOON + timedelta(days=20)
    new = key_life.rotate(store, old.key_id, ADA, later, overlap=timedelta(hours=6))
    before, after = store.read()
    assert before.expires == later + timedelta(hours=6)
    assert (after.key_id, after.name, after.role) == (new.key_id, "checkout", Role.APPROVER)
    assert after.expires == later + timedelta(days=30)


def test_an_overlap_makes_no_key_live_longer_than_it_was_meant_to(store):
    old = create(store)
    later = NOON + timedelta(days=29, hours=23)
    key_life.rotate(store, old.key_id, ADA, later, overlap=timedelta(hours=24))
    assert store.read()[0].expires == NOON + timedelta(days=30)


def test_a_caller_has_one_key_to_begin_with(store):
    first = create(store)
    with pytest.raises(NameTaken, match=f"checkout has the live API key {first.key_id}"):
        create(store)
    key_life.revoke(store, first.key_id, ADA, NOON)
    create(store)


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_key_that_is_not_live_cannot_be_rotated(store, end):
    minted = create(store)
    now = NOON + timedelta(days=30)
    if end == "revoked":
        now = NOON
        key_life.revoke(store, minted.key_id, ADA, NOON)
    with pytest.raises(KeyNotLive, match=f"{minted.key_id} is {end}"):
        key_life.rotate(store, minted.key_id, ADA, now)


@pytest.mark.parametrize("change", [key_life.rotate, key_life.revoke], ids=["rotate", "revoke"])
def test_an_unknown_key_is_an_error_and_no_change(store, change):
    create(store)
    before = store.read()
    with pytest.raises(UnknownKey, match="nosuchkey"):
        change(store, "nosuchkey", ADA, NOON)
    assert store.read() == before


def test_revoking_twice_keeps_the_first_time(store):
    minted = create(store)
    key_life.revoke(store, minted.key_id, ADA, NOON)
    key_life.revoke(store, minted.key_id, ADA, NOON + timedelta(hours=1))
    assert store.read()[0].revoked == NOON


def test_every_change_raises_the_revision(store):
    revisions = [store.revision()]
    minted = create(store)
    revisions.append(store.revision())
    successor = key_life.rotate(store, minted.key_id, ADA, NOON)
    revisions.append(store.revision())
    key_life.revoke(store, successor.key_id, ADA, NOON)
    revisions.append(store.revision())
    assert revisions == sorted(set(revisions))


@pytest.mark.parametrize("name", ["", "Checkout", "a b", "-a", "a:b", "x" * 65, "a\n"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(InvalidCallerName):
        create(MemoryKeyStore(), name)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_key_lives_for_more_than_nothing_and_a_year_at_most(days):
    with pytest.raises(InvalidLifetime, match="lifetime"):
        create(MemoryKeyStore(), lifetime=timedelta(days=days))


def test_each_change_is_in_the_audit_with_who_what_and_when(uri):
    opened = open_store(uri, create=True)
    old = create(opened.keys)
    new = key_life.rotate(opened.keys, old.key_id, ADA, NOON)
    key_life.revoke(opened.keys, new.key_id, ADA, NOON)
    events = opened.audit.latest(10)
    assert [(event.action, event.subject) for event in events] == [
        (Action.KEY_REVOKED, f"key/{new.key_id}"),
        (Action.KEY_ROTATED, f"key/{old.key_id}"),
        (Action.KEY_CREATED, f"key/{old.key_id}"),
    ]
    assert {(event.actor, event.credential, event.at) for event in events} == {(ADA.name, "command-line", NOON)}
    assert events[1].detail["successor"] == new.key_id


@pytest.mark.parametrize(
    "statement",
    ["UPDATE raygate_audit SET actor = 'nobody'", "DELETE FROM raygate_audit"],
    ids=["rewritten", "removed"],
)
def test_the_audit_refuses_to_be_changed(uri, statement):
    opened = open_store(uri, create=True)
    create(opened.keys)
    with (
        pytest.raises(StoreUnavailable, match="append-only"),
        database.transaction(database.connect(uri)) as connection,
    ):
        connection.execute(sqlalchemy.text(statement))
    assert len(opened.audit.latest(10)) == 1


def test_a_change_that_is_refused_leaves_nothing_behind(uri):
    opened = open_store(uri, create=True)
    create(opened.keys)
    revision = opened.keys.revision()
    with pytest.raises(NameTaken):
        create(opened.keys)
    assert opened.keys.revision() == revision
    assert len(opened.audit.latest(10)) == 1


def test_of_several_who_want_the_same_name_one_gets_it(uri):
    """Each brings the tables up too, as commands that are run at once do."""
    outcomes, barrier = [], threading.Barrier(6)

    def want():
        barrier.wait()
        try:
            outcomes.append(create(open_store(uri, create=True).keys).key_id)
        except NameTaken:
            outcomes.append("taken")

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count("taken") == 5
    assert len(open_store(uri).keys.read()) == 1


def test_a_store_without_tables_is_not_available_to_a_gateway(uri):
    with pytest.raises(StoreUnavailable):
        open_store(uri).keys.read()


def test_a_server_that_is_away_is_named_without_its_password():
    store = open_store("postgresql://raygate:hunter2@127.0.0.1:1/raygate").keys
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as away:
        store.revision()
    assert "hunter2" not in str(away.value)


@pytest.mark.parametrize("store", ["mysql://root:hunter2@host/x", "no uri"], ids=["mysql", "nonsense"])
def test_another_kind_of_database_is_refused_without_repeating_it(store):
    with pytest.raises(StoreUnavailable, match="must be sqlite:////path or postgresql://") as refused:
        open_store(store)
    assert store not in str(refused.value)
