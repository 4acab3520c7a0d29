"""What both versions were asked in a rollout that failed is kept aside, whichever controller leads."""

import pytest
from kubernetes_namespace import endpoint

from deployments.kubernetes_control.rollback_records import RollbackRecords
from deployments.rollout.announcement import ROLLOUT
from deployments.rollout.commands import Command
from deployments.rollout.state import Phase

NAME = "credit-risk"
PLAN = {"steps": [{"weight": 10, "hold": "20s"}]}


class Keeper:
    """Takes a rollback as soon as its records are written."""

    def __init__(self):
        self.are_written, self.asked = False, []

    def take(self, number, decision):
        if decision.action != f"{ROLLOUT}{Phase.ROLLED_BACK}":
            return True
        self.asked.append((decision.detail["rollout"], decision.detail["model"], "started" in decision.detail))
        return self.are_written


@pytest.fixture
def rolled_back(namespace, operator):
    namespace.api.apply("modelendpoints", endpoint(rollout=PLAN), "kubectl")
    operator.look(3)
    rollout = operator.service.start(NAME, None, "ann")
    operator.look(3)
    operator.service.obey(NAME, Command.ROLLBACK, "ann")
    operator.look(3)
    return rollout.name


def test_a_rollbacks_records_are_asked_for_until_they_are_written_and_then_no_more(operator, rolled_back):
    keeper = Keeper()
    records = RollbackRecords(operator.store, keeper.take)
    records.look()
    records.look()
    assert keeper.asked == [(rolled_back, "credit_risk", True)] * 2
    keeper.are_written = True
    for _ in range(3):
        records.look()
    assert len(keeper.asked) == 3


def test_what_a_controller_left_undone_the_next_one_does(namespace, operator, rolled_back, start):
    operator.kill()
    second = start("second")
    second.catch_up()
    keeper = Keeper()
    records = RollbackRecords(second.store, keeper.take)
    records.look()
    assert keeper.asked == []  # it does not lead yet
    second.leadership.attempt()
    namespace.pass_time(16)
    second.look()
    records.look()
    assert [rollout for rollout, *_ in keeper.asked] == [rolled_back]
