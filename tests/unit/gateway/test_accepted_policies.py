"""What a gateway does with a policy that cannot be: it goes on with the one that it has."""

import pytest
from gateway_stack import V1, V2, V3
from pydantic import ValidationError

from deployments.contracts.traffic_policy import Condition, GatewayConfig, Rule, Shadow, TrafficPolicy
from deployments.gateway.accepted_policies import accepted
from deployments.routing.slot_table import SlotTable


def policy(name="credit-risk", **changes):
    given = {
        "endpoint": name,
        "model": name.replace("-", "_"),
        "policy_epoch": 1,
        "stable": V1,
        "versions": (V1, V2),
        "slots": SlotTable.of({V1: 90, V2: 10}).runs,
        "salt": "salt",
    }
    return TrafficPolicy(**given).model_copy(update=changes)


def told(*policies, **fields):
    return {"endpoints": [one.model_dump(mode="json", by_alias=True) for one in policies], **fields}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        pytest.param({"stable": V3}, "stable", id="stable"),
        pytest.param({"slots": SlotTable.of({V1: 50, V3: 50}).runs}, "slots", id="slots"),
        pytest.param(
            {"rules": (Rule(name="r", when=Condition(units=("ann",)), version=V3),)}, "rules", id="rules"
        ),
        pytest.param({"shadows": (Shadow(version=V3),)}, "shadows", id="shadows"),
    ],
)
def test_a_policy_that_names_a_version_it_does_not_have_is_refused_by_name(changes, where):
    with pytest.raises(ValidationError, match=rf"{where}: unknown version 1\.2\.0; known: 1\.0\.0, 1\.1\.0"):
        GatewayConfig.model_validate(told(policy(**changes)))


def test_an_unsound_policy_keeps_the_one_in_force_and_delays_no_other():
    in_force = GatewayConfig(endpoints=(policy(), policy("churn")))
    unsound = policy(policy_epoch=2, slots=SlotTable.of({V1: 50, V3: 50}).runs)
    made = accepted(told(unsound, policy("churn", policy_epoch=2), gateways=3), in_force)
    assert {one.endpoint: one.policy_epoch for one in made.endpoints} == {"credit-risk": 1, "churn": 2}
    assert made.endpoints[0] == in_force.endpoints[0]
    assert made.gateways == 3


def test_a_configuration_that_cannot_be_read_changes_nothing():
    in_force = GatewayConfig(endpoints=(policy(),))
    assert accepted(told(policy(policy_epoch=2), gateways=0), in_force) == in_force


def test_a_gateway_does_not_start_on_an_unsound_one():
    with pytest.raises(ValidationError):
        accepted(told(policy(stable=V3)), None)
