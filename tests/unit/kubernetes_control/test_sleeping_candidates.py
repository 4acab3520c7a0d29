"""Versions that sleep while nobody asks, on a cluster: when their pools are asked for a replica."""

from kubernetes_namespace import endpoint

from deployments.rollout.commands import Command


def apply(namespace, resource):
    namespace.api.apply("modelendpoints", resource, "kubectl", force=True)


def sleeper(**changes):
    """An endpoint whose candidate sleeps while nobody asks."""
    made = endpoint(**changes)
    made["spec"]["versions"][1]["scaling"] = {"minReplicas": 0, "maxReplicas": 4}
    return made


def least(namespace, name="credit_risk_v1.1.0"):
    """The least number of a pool's replicas, put for put, without repetitions."""
    asked = []
    for put in namespace.serve.puts:
        for application in put["applications"]:
            if application["name"] == name:
                asked.append(application["deployments"][0]["autoscaling_config"]["min_replicas"])
    return [value for number, value in enumerate(asked) if number == 0 or asked[number - 1] != value]


def test_a_version_that_may_sleep_comes_up_once_and_sleeps_when_it_is_accepted(namespace, operator):
    apply(namespace, sleeper())
    operator.look(20)
    assert namespace.condition("credit-risk", "Ready") == ("True", "InForce")
    assert least(namespace) == [1, 0]


def test_a_version_that_sleeps_is_up_before_it_gets_weight(namespace, operator):
    apply(namespace, sleeper())
    operator.look(3)
    namespace.serve.asleep.add("credit_risk_v1.1.0")
    apply(namespace, sleeper(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    assert namespace.condition("credit-risk", "Progressing") == ("True", "WaitingForPools")
    assert (least(namespace), namespace.weights()) == ([1, 0, 1], {"1.0.0": 100})
    namespace.serve.asleep.clear()
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    apply(namespace, sleeper())
    operator.look(3)
    assert (least(namespace), namespace.weights()) == ([1, 0, 1, 0], {"1.0.0": 100})


def test_a_version_that_sleeps_is_awake_while_a_rollout_of_it_runs(namespace, operator):
    rollout = {"steps": [{"pause": "approval"}, {"weight": 10, "hold": "1m"}]}
    apply(namespace, sleeper(rollout=rollout))
    operator.look(3)
    operator.service.start("credit-risk", None, "ann")
    operator.look(3)
    assert least(namespace) == [1, 0, 1]
    operator.service.obey("credit-risk", Command.ABORT, "ann")
    operator.look(3)
    assert least(namespace) == [1, 0, 1, 0]
