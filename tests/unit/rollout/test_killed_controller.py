"""``kill -9`` of a controller process at every call that it makes to what is around it, over the real store."""

import subprocess
import sys
from itertools import groupby
from types import SimpleNamespace

import mortal_controller
import pytest
from mortal_controller import Lines
from rollout_examples import NAME

from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.rollout.state import Phase


@pytest.fixture(scope="module", params=["good", "bad"])
def lives(request, tmp_path_factory):
    """What the lives of a good and of a bad rollout left."""
    directory = tmp_path_factory.mktemp(request.param)
    program = [sys.executable, mortal_controller.__file__, directory, request.param]
    done = subprocess.run(program, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(
        kind=request.param,
        undisturbed=left(directory / "undisturbed"),
        killed=[left(each) for each in sorted(directory.glob("killed-*"))],
    )


def left(directory):
    store, puts = SqliteRolloutStore(directory / "endpoints.db"), Lines(directory / "puts").read()
    return SimpleNamespace(
        died_at=directory.name,
        calls=Lines(directory / "calls").read()[0],
        rollout=store.rollouts()[NAME],
        endpoint=store.endpoints()[NAME],
        history=store.history(NAME),
        puts=puts,
        serve=puts[-1]["config"],
        moves=Lines(directory / "moves").read(),
        told=Lines(directory / "told").read(),
    )


def splits(life):
    """Policy epoch and slots of every put that sends traffic, and the epochs that were decided by then."""
    found = []
    for put in life.puts:
        for policy in MemoryTarget([put["config"]]).state().policies.values():
            found.append((policy["policy_epoch"], policy["slots"], put["decided"]))
    return found


def once(lines):
    """Lines without those that say again what the one before them said."""
    return [line for line, _ in groupby(lines)]


def decisions(life):
    return [(made.action, made.policy_epoch, made.detail.get("weights")) for made in life.history]


def test_every_kind_of_call_was_one_that_a_process_did_not_survive(lives):
    kinds = {"lead", "write", "record", "put", "tell", "remember that it was told"}
    assert set(lives.undisturbed.calls) == (kinds | {"name_champion"} if lives.kind == "good" else kinds)
    assert len(lives.killed) == len(lives.undisturbed.calls)


def test_the_end_is_that_of_a_life_that_nobody_disturbed(lives):
    phase = Phase.PROMOTED if lives.kind == "good" else Phase.ROLLED_BACK
    assert lives.undisturbed.rollout.state.phase is phase
    for life in lives.killed:
        state = life.rollout.state
        assert (state.phase, life.rollout.is_moving, life.rollout.owed_champion) == (phase, False, None), (
            life.died_at
        )
        assert life.endpoint == lives.undisturbed.endpoint, life.died_at
        assert life.serve == lives.undisturbed.serve, life.died_at
        assert once(life.moves) == lives.undisturbed.moves, life.died_at


def test_the_history_has_each_decision_once(lives):
    wanted = decisions(lives.undisturbed)
    assert len(wanted) == len({epoch for _, epoch, _ in wanted}) == {"good": 4, "bad": 3}[lives.kind]
    for life in lives.killed:
        assert decisions(life) == wanted, life.died_at


def test_nothing_was_served_before_it_was_decided_nor_anything_else(lives):
    wanted = once((epoch, slots) for epoch, slots, _ in splits(lives.undisturbed))
    for life in lives.killed:
        assert once((epoch, slots) for epoch, slots, _ in splits(life)) == wanted, life.died_at
        assert all(epoch in decided for epoch, _, decided in splits(life)), life.died_at


def test_every_decision_was_told_in_order_and_some_of_them_twice(lives):
    for life in lives.killed:
        assert once(life.told) == lives.undisturbed.told, life.died_at
