"""Every decision comes to the audit's database once, and a database that is down holds up nobody."""

import json
import socket
import sqlite3
import threading
import time
from datetime import timedelta

import postgresql_server
import pytest
import sqlalchemy
from rollout_examples import NAME, NOON, TWO_STEPS, World, counted, wanted_endpoint

from deployments.access import database
from deployments.access.errors import StoreUnavailable
from deployments.contracts.secret_reference import SecretUnavailable
from deployments.rollout import decision_audit
from deployments.rollout.decision_audit import DECISIONS, DecisionAudit
from deployments.rollout.decision_follower import AUDIT, backlog
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from ray_apps.controller import Duty, attend, duties
from ray_apps.settings import Settings

ANALYSIS = "analysis: {interval: 15s, minRequests: 100}"


@pytest.fixture
def control(tmp_path):
    return tmp_path / "endpoints.db"


@pytest.fixture
def sqlite(tmp_path):
    return f"sqlite:///{tmp_path / 'deep' / 'audit.db'}"


@pytest.fixture(params=["sqlite", "empty_postgresql"])
def uri(request):
    return request.getfixturevalue(request.param)


def decide(control, action, minutes=0, **detail):
    EndpointStore(control).decide(wanted_endpoint(), action, detail, NOON + timedelta(minutes=minutes))


def follower(control, uri, environment="production"):
    return decision_audit.follower(control, DecisionAudit(uri, environment))


def rows(uri):
    with database.connect(uri).connect() as connection:
        return list(connection.execute(sqlalchemy.select(DECISIONS).order_by(DECISIONS.c.position)).mappings())


def actions(uri):
    return [row["action"] for row in rows(uri)]


def test_every_decision_is_carried_in_order_those_before_the_audit_too(control, uri):
    decide(control, "apply", actor="ann")
    carrying = follower(control, uri)
    decide(control, "rollout progressing", 1, weights={"1.1.0": 10.0})
    carrying.look()
    decide(control, "rollout rolled back", 2)
    carrying.look()
    carrying.look()
    assert actions(uri) == ["apply", "rollout progressing", "rollout rolled back"]
    second = rows(uri)[1]
    assert (second["environment"], second["endpoint"], second["policy_epoch"]) == ("production", NAME, 1)
    assert second["at"] == "2026-11-21T12:01:00.000000+00:00"
    assert json.loads(second["detail"]) == {"weights": {"1.1.0": 10.0}}


class Dying(DecisionAudit):
    """Is killed when the database has taken a decision, before anybody could note that."""

    def append(self, entries):
        super().append(entries)
        raise KeyboardInterrupt


def test_a_crash_before_it_is_noted_that_the_database_took_it_leaves_no_second_row(control, uri):
    decide(control, "apply")
    with pytest.raises(KeyboardInterrupt):
        decision_audit.follower(control, Dying(uri, "production")).look()
    assert (actions(uri), backlog(control, AUDIT).decisions) == (["apply"], 1)
    decide(control, "rollout progressing", 1)
    follower(control, uri).look()
    assert actions(uri) == ["apply", "rollout progressing"]
    assert backlog(control, AUDIT).decisions == 0


def test_decisions_of_one_moment_are_told_apart_and_those_of_two_stacks_too(tmp_path, uri):
    for environment in ("staging", "production"):
        control = tmp_path / f"{environment}.db"
        decide(control, "apply")
        decide(control, "apply")
        follower(control, uri, environment).look()
    assert [(row["environment"], row["number"]) for row in rows(uri)] == [
        ("staging", 1),
        ("staging", 2),
        ("production", 1),
        ("production", 2),
    ]


def test_decisions_after_a_backup_was_restored_are_not_taken_for_those_before(control, uri, tmp_path):
    decide(control, "apply")
    backup = tmp_path / "backup.db"
    with sqlite3.connect(control) as database, sqlite3.connect(backup) as copy:
        database.backup(copy)
    decide(control, "rollout progressing", 1)
    follower(control, uri).look()
    decide(backup, "rollout rolled back", 2)
    follower(backup, uri).look()
    assert actions(uri) == ["apply", "rollout progressing", "rollout rolled back"]


@pytest.mark.parametrize(
    "statement", ["UPDATE raygate_decisions SET action = 'nothing'", "DELETE FROM raygate_decisions"]
)
def test_the_database_refuses_to_change_what_was_written(control, uri, statement):
    decide(control, "apply")
    follower(control, uri).look()
    with pytest.raises(StoreUnavailable, match="append-only"), database.transaction(database.connect(uri)) as made:
        made.execute(sqlalchemy.text(statement))
    assert actions(uri) == ["apply"]


def test_postgresql_refuses_to_empty_the_table(control, empty_postgresql):
    decide(control, "apply")
    follower(control, empty_postgresql).look()
    engine = database.connect(empty_postgresql)
    with pytest.raises(StoreUnavailable, match="append-only"), database.transaction(engine) as made:
        made.execute(sqlalchemy.text("TRUNCATE raygate_decisions"))


def test_a_role_that_may_insert_and_nothing_else_is_enough(control, empty_postgresql):
    decide(control, "apply")
    follower(control, empty_postgresql).look()
    with database.connect(empty_postgresql).begin() as made:
        made.execute(sqlalchemy.text("DROP ROLE IF EXISTS writer"))
        made.execute(sqlalchemy.text("CREATE ROLE writer LOGIN"))
        made.execute(sqlalchemy.text("GRANT USAGE ON SCHEMA public TO writer"))
        made.execute(sqlalchemy.text("GRANT INSERT ON raygate_decisions TO writer"))
        made.execute(sqlalchemy.text("GRANT USAGE ON SEQUENCE raygate_decisions_position_seq TO writer"))
    decide(control, "rollout progressing", 1)
    follower(control, empty_postgresql.replace("raygate@", "writer@")).look()
    assert actions(empty_postgresql) == ["apply", "rollout progressing"]


def bad_candidate(control):
    """A rollout whose candidate fails every second request, in the control database."""
    EndpointStore(control).decide(wanted_endpoint(f"{TWO_STEPS}, {ANALYSIS}"), "apply", {}, NOON)
    world = World(SqliteRolloutStore(control), now=NOON + timedelta(minutes=1))
    world.service.start(NAME, None, "ann")
    return world


def test_a_server_that_is_killed_gets_the_rollback_when_it_is_back(control, postgresql_programs):
    initdb, server = postgresql_programs
    with postgresql_server.cluster(initdb) as data:
        with data.serving(server) as uri:
            world = bad_candidate(control)
            carrying = follower(control, uri)
            carrying.look()
        controller = world.controller()
        world.go(controller, 60, counted(100, failed=50))
        assert world.rollout.state.phase == "rolled back"
        with pytest.raises(StoreUnavailable):
            carrying.look()
        assert backlog(control, AUDIT).oldest > NOON
        restarted = follower(control, uri)  # the controller was killed meanwhile too
        with data.serving(server):
            restarted.look()
            carrying.look()
            assert actions(uri) == [made.action for made in world.store.history(NAME)]
            assert actions(uri)[-1] == "rollout rolled back"
    assert backlog(control, AUDIT).decisions == 0


def test_a_database_that_takes_the_connection_and_never_answers_holds_up_no_rollback(control):
    world = bad_candidate(control)
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://raygate@127.0.0.1:{silent.getsockname()[1]}/postgres"
        duty = Duty(AUDIT, follower(control, uri).look, 0.0)
        thread = threading.Thread(target=attend, args=(duty, stopping), daemon=True)
        thread.start()
        silent.accept()  # the follower waits for an answer from now on
        began = time.monotonic()
        world.go(world.controller(), 60, counted(100, failed=50))
        assert world.rollout.state.phase == "rolled back"
        assert time.monotonic() - began < 2
        assert backlog(control, AUDIT).decisions == len(world.store.history(NAME))
        stopping.set()
    thread.join(10)


def test_a_secret_that_is_not_there_yet_keeps_nothing_but_the_audit_waiting(control, sqlite, monkeypatch):
    decide(control, "apply")
    carrying = follower(control, "env:AUDIT_DATABASE")
    with pytest.raises(SecretUnavailable, match="AUDIT_DATABASE"):
        carrying.look()
    monkeypatch.setenv("AUDIT_DATABASE", sqlite)
    carrying.look()
    assert actions(sqlite) == ["apply"]


@pytest.mark.parametrize(
    ("stores", "carries"),
    [
        pytest.param({}, False, id="no-database"),
        pytest.param({"audit_store": "env:AUDIT_DATABASE"}, True, id="its-own"),
        pytest.param({"access_store": "env:ACCESS_DATABASE"}, True, id="beside-the-keys"),
    ],
)
def test_the_controller_carries_decisions_where_a_database_is_named(tmp_path, stores, carries):
    names = {duty.name for duty in duties(Settings(state_directory=tmp_path, **stores))}
    assert (AUDIT in names) is carries
