"""The RayService has one writer: what a controller decided before it was paused undoes nothing of the next one."""

import pytest
import yaml

from deployments.contracts.errors import TrafficNotApplied
from deployments.kubernetes_control.rayservice_target import FIELD_MANAGER, RayServiceTarget
from deployments.rollout.errors import NotLeading

EARLIER, LATER = "gateway-earlier", "gateway-later"


def config(name):
    return {"applications": [{"name": name, "import_path": "somewhere:app", "deployments": []}]}


def served(namespace):
    text = namespace.api.get("rayservices", "raygate")["spec"]["serveConfigV2"]
    return [application["name"] for application in yaml.safe_load(text)["applications"]]


@pytest.fixture
def target(namespace, operator):
    """A controller's target, and what happens in the cluster after each time it has seen that it leads."""

    def make(*meanwhile):
        happenings = iter(meanwhile)
        return RayServiceTarget(
            operator.cluster, "raygate", operator._dashboard, lambda: next(happenings, lambda: None)()
        )

    return make


def test_a_leader_that_was_paused_before_its_write_undoes_nothing_of_the_next_one(namespace, target):
    def next_leader_writes():
        wanted = {"metadata": {"name": "raygate"}, "spec": {"serveConfigV2": yaml.safe_dump(config(LATER))}}
        namespace.api.apply("rayservices", wanted, FIELD_MANAGER, force=True)

    def see_that_it_leads_no_more():
        raise NotLeading("one")

    with pytest.raises(NotLeading):
        target(next_leader_writes, see_that_it_leads_no_more).put(config(EARLIER))
    assert served(namespace) == [LATER]


def test_a_status_that_kuberay_writes_meanwhile_delays_nothing(namespace, target):
    target(lambda: namespace.set_status(numServeEndpoints=1)).put(config(EARLIER))
    assert served(namespace) == [EARLIER]


def test_a_service_that_never_stands_still_is_told_of_at_the_next_look(namespace, target):
    count = iter(range(100))
    happenings = [lambda: namespace.set_status(numServeEndpoints=next(count))] * 50
    with pytest.raises(TrafficNotApplied, match="was changed meanwhile 5 times in a row"):
        target(*happenings).put(config(EARLIER))
    assert "serveConfigV2" not in namespace.api.get("rayservices", "raygate")["spec"]
