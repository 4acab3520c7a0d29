"""Those whom a rollout's plan names are told of its decisions, whichever controller leads."""

import pytest
from kubernetes_namespace import endpoint

from deployments.kubernetes_control import endpoint_resource
from deployments.kubernetes_control.errors import KubernetesUnavailable
from deployments.rollout.commands import Command

NAME = "credit-risk"
STEPS = {"steps": [{"weight": 10, "hold": "20s"}, {"weight": 50, "hold": "20s"}]}
TOLD = {**STEPS, "notify": [{"channel": "webhook", "url": "env:HOOK"}]}


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    monkeypatch.setenv("HOOK", "https://hooks.example/raygate")


def apply(namespace, plan):
    namespace.api.apply("modelendpoints", endpoint(rollout=plan), "kubectl", force=True)


@pytest.fixture
def serving(namespace, operator):
    apply(namespace, TOLD)
    operator.look(3)
    return operator


def events(namespace):
    return [event for _, event in namespace.told]


def roll_back(operator):
    operator.service.start(NAME, None, "ann")
    operator.look(3)
    operator.service.obey(NAME, Command.ROLLBACK, "ann")
    operator.look(3)


def test_a_rollback_is_told_once_with_a_number_of_its_own(namespace, serving):
    roll_back(serving)
    for _ in range(3):
        serving.notices.look()
    made = serving.service.history(NAME)
    assert events(namespace) == [each.action for each in made if each.action.startswith("rollout")]
    assert len(set(namespace.told)) == len(namespace.told) > 1
    uid = namespace.api.get("modelendpoints", NAME)["metadata"]["uid"]
    assert all(delivery.startswith(f"decision-{uid}-") for delivery, _ in namespace.told)


def test_what_a_controller_left_untold_the_next_one_tells(namespace, serving, start):
    roll_back(serving)
    serving.kill()
    second = start("second")
    second.catch_up()
    second.notices.look()
    assert namespace.told == []
    second.leadership.attempt()
    namespace.pass_time(16)
    second.look()
    second.notices.look()
    assert events(namespace)[-1] == second.service.history(NAME)[-1].action


def test_what_was_told_is_not_told_again_by_the_next_one(namespace, serving, start):
    roll_back(serving)
    serving.notices.look()
    told = list(namespace.told)
    serving.kill()
    second = start("second")
    second.catch_up()
    second.leadership.attempt()
    namespace.pass_time(16)
    second.look()
    second.notices.look()
    assert namespace.told == told


def test_a_note_that_could_not_be_written_is_written_later_and_nothing_told_twice(namespace, serving, monkeypatch):
    roll_back(serving)

    def away(name, number):
        raise KubernetesUnavailable("replace", "no answer")

    with monkeypatch.context() as patched:
        patched.setattr(serving.store, "note_told", away)
        with pytest.raises(KubernetesUnavailable):
            serving.notices.look()
    told = list(namespace.told)
    serving.notices.look()
    assert namespace.told == told
    stored = namespace.api.get("modelendpoints", NAME)
    assert endpoint_resource.told_of(stored) == endpoint_resource.next_number(stored) - 1


def test_what_a_receiver_refuses_is_given_up_and_keeps_no_rollout(namespace, serving):
    namespace.web_status = 404
    roll_back(serving)
    serving.notices.look()
    refused = len(namespace.told)
    serving.notices.look()
    assert len(namespace.told) == refused > 0
    assert namespace.weights() == {"1.0.0": 100}


def test_who_is_named_later_is_not_told_of_what_was_before(namespace, operator):
    apply(namespace, STEPS)
    operator.look(3)
    roll_back(operator)
    operator.look(12)
    apply(namespace, TOLD)
    operator.look(12)
    operator.notices.look()
    assert namespace.told == []
    roll_back(operator)
    operator.notices.look()
    assert len(namespace.told) > 1
