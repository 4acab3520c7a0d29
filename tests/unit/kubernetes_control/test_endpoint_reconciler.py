"""What the controller makes of ModelEndpoints, over an API that speaks HTTP."""

import pytest
from kubernetes_namespace import SERVICE, endpoint, until

POOLS = {"credit_risk_v1.0.0", "credit_risk_v1.1.0"}
IN_FORCE = ("True", "InForce")


def apply(namespace, *resources):
    """As `kubectl apply --server-side` does."""
    for resource in resources:
        namespace.api.apply("modelendpoints", resource, "kubectl", force=True)


def test_a_new_endpoint_is_served_pools_first(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    assert namespace.pools == POOLS
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    first = next(put for put in namespace.serve.puts if len(put["applications"]) == 4)
    [gateway] = [each for each in first["applications"] if each["name"] == "raygate-gateway"]
    assert gateway["deployments"][0]["user_config"]["endpoints"] == []


def test_its_status_and_events_tell_what_happened(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    status = namespace.api.get("modelendpoints", "credit-risk")["status"]
    assert (status["policyEpoch"], status["stable"], status["observedGeneration"]) == (1, "1.0.0", 1)
    assert status["traffic"] == "1.0.0=90 1.1.0=10"
    assert namespace.condition("credit-risk", "Ready") == IN_FORCE
    assert namespace.condition("credit-risk", "Accepted") == ("True", "Accepted")
    assert ("Apply", "Normal", "credit-risk") in namespace.events()
    assert ("InForce", "Normal", "credit-risk") in namespace.events()
    assert [made["action"] for made in status["decisions"]] == ["apply"]


def test_what_is_in_force_is_written_no_more(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    version = namespace.api.get("modelendpoints", "credit-risk")["metadata"]["resourceVersion"]
    puts = len(namespace.serve.puts)
    operator.look(30)
    assert namespace.api.get("modelendpoints", "credit-risk")["metadata"]["resourceVersion"] == version
    assert len(namespace.serve.puts) == puts


@pytest.mark.parametrize(
    ("spoilt", "reason", "told"),
    [
        pytest.param(
            endpoint("fraud", split={"stable": 90}), "InvalidDocument", "add up to 90", id="wrong-weights"
        ),
        pytest.param(
            endpoint("fraud", versions=("1.0.0", "9.9.9")),
            "InvalidDocument",
            "9.9.9 is not in",
            id="no-such-version",
        ),
        pytest.param(
            endpoint("fraud") | {"spec": endpoint()["spec"]},
            "InvalidDocument",
            "credit-risk already",
            id="same-model",
        ),
        pytest.param(
            endpoint("fraud", limits={"deadlineSeconds": 12}),
            "InvalidDocument",
            "spec.limits.deadlineSeconds: 12 must be below 12, RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S",
            id="deadline-beyond-the-listener",
        ),
        pytest.param(
            endpoint("fraud", limits={"rows": 1}), "InvalidDocument", "unknown field", id="unknown-field"
        ),
    ],
)
def test_one_bad_document_blocks_no_other(namespace, operator, spoilt, reason, told):
    apply(namespace, endpoint())
    operator.look(3)
    apply(namespace, spoilt, endpoint("churn"))
    operator.look(3)
    assert namespace.condition("fraud", "Accepted") == ("False", reason)
    assert told in namespace.message("fraud", "Accepted")
    assert (reason, "Warning", "fraud") in namespace.events()
    assert namespace.condition("churn", "Ready") == IN_FORCE
    assert namespace.condition("credit-risk", "Ready") == IN_FORCE


def test_a_pool_that_fails_leaves_the_endpoint_as_it_was_and_others_go_on(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    namespace.serve.broken["credit_risk_v1.2.0"] = "ImportError: no module named spline"
    apply(namespace, endpoint(versions=("1.2.0", "1.0.0")), endpoint("churn"))
    operator.look(4)
    assert namespace.condition("credit-risk", "Progressing") == ("False", "PoolFailed")
    assert "no module named spline" in namespace.message("credit-risk", "Progressing")
    assert namespace.weights() == {"1.0.0": 100}
    assert namespace.pools >= POOLS
    assert "credit_risk_v1.2.0" not in namespace.pools
    assert namespace.condition("churn", "Ready") == IN_FORCE
    namespace.serve.broken.clear()
    namespace.pass_time(30)
    operator.look(3)
    assert namespace.weights() == {"1.2.0": 100}


def test_a_pool_on_its_way_holds_up_no_other_endpoint(namespace, operator):
    namespace.kuberay_works = False
    apply(namespace, endpoint())
    operator.look(2)
    assert namespace.condition("credit-risk", "Progressing") == ("True", "WaitingForPools")
    assert namespace.condition("credit-risk", "Ready") is None
    namespace.kuberay_works = True
    apply(namespace, endpoint("churn"))
    operator.look(4)
    assert {*namespace.policies} == {"churn", "credit-risk"}


def test_pools_that_never_come_up_are_given_up(namespace, operator):
    namespace.kuberay_works = False
    apply(namespace, endpoint())
    operator.look()
    namespace.pass_time(601)
    operator.look()
    assert namespace.condition("credit-risk", "Progressing") == ("False", "PoolFailed")


def test_new_weights_move_as_few_slots_as_they_must_and_restart_nothing(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    apply(namespace, endpoint(split={"stable": 50, "candidate": 50}))
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}
    assert namespace.policies["credit-risk"]["policy_epoch"] == 2
    assert namespace.api.get("modelendpoints", "credit-risk")["status"]["observedGeneration"] == 2


def test_a_version_that_is_named_no_more_goes_after_the_gateways_follow(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    apply(namespace, endpoint(versions=("1.0.0",)))
    operator.look(3)
    assert namespace.pools == {"credit_risk_v1.0.0"}
    last, before = namespace.serve.puts[-1], namespace.serve.puts[-2]
    assert len(before["applications"]) == len(last["applications"]) + 1


def test_a_deleted_endpoint_ends_its_traffic_before_it_goes(namespace, operator):
    apply(namespace, endpoint(), endpoint("churn"))
    operator.look(4)
    namespace.api.delete("modelendpoints", "credit-risk")
    assert namespace.api.get("modelendpoints", "credit-risk")["metadata"]["finalizers"] == ["raygate.io/serving"]
    operator.look(2)
    assert [each["metadata"]["name"] for each in namespace.api.list("modelendpoints")] == ["churn"]
    assert {*namespace.policies} == {"churn"}
    assert namespace.pools == {"churn_v1.0.0", "churn_v1.1.0"}


def test_an_endpoint_that_is_made_again_begins_above_its_last_epoch(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    apply(namespace, endpoint(split={"stable": 50, "candidate": 50}))
    operator.look(3)
    namespace.api.delete("modelendpoints", "credit-risk")
    operator.look(2)
    apply(namespace, endpoint())
    operator.look(3)
    assert namespace.policies["credit-risk"]["policy_epoch"] == 3


def test_without_a_rayservice_that_is_told_and_mended_when_there_is_one(namespace, operator):
    namespace.api.delete("rayservices", "raygate")
    apply(namespace, endpoint())
    operator.look(2)
    assert namespace.condition("credit-risk", "Ready") == ("False", "ServiceMissing")
    assert "there is no RayService raygate" in namespace.message("credit-risk", "Ready")
    namespace.create_service()
    operator.look(3)
    assert namespace.condition("credit-risk", "Ready") == IN_FORCE


def test_an_endpoint_may_go_where_nothing_serves(namespace, operator):
    namespace.api.delete("rayservices", "raygate")
    apply(namespace, endpoint())
    operator.look(2)
    namespace.api.delete("modelendpoints", "credit-risk")
    operator.look(2)
    assert namespace.api.list("modelendpoints") == []


def test_a_rayservice_that_was_made_anew_is_told_everything_again(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    namespace.api.delete("rayservices", "raygate")
    namespace.serve.puts.clear()
    namespace.create_service()
    operator.look(14)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    assert namespace.policies["credit-risk"]["policy_epoch"] == 1


def test_nothing_moves_while_kuberay_brings_up_another_cluster(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    namespace.set_status(pendingServiceStatus={"rayClusterName": "raygate-fghij"})
    apply(namespace, endpoint(split={"stable": 50, "candidate": 50}))
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 100}
    assert namespace.condition("credit-risk", "Progressing") == ("False", "ServiceUpgrading")
    assert namespace.condition("credit-risk", "Ready") == IN_FORCE
    moved = {"rayClusterName": "raygate-fghij"}
    namespace.set_status(activeServiceStatus=moved, pendingServiceStatus={})
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 50, "1.1.0": 50}
    assert operator.dashboards[-1] == "raygate-fghij-head-svc"


def test_applying_the_manifests_of_git_again_leaves_live_weights_alone(namespace, operator):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    text = namespace.api.get("rayservices", "raygate")["spec"]["serveConfigV2"]
    changed = {**SERVICE, "spec": {"rayClusterConfig": {"rayVersion": "2.61.0"}}}
    namespace.api.apply("rayservices", changed, "kubectl")
    service = namespace.api.get("rayservices", "raygate")
    assert service["spec"] == {"rayClusterConfig": {"rayVersion": "2.61.0"}, "serveConfigV2": text}


def test_who_writes_the_serve_config_beside_the_controller_is_told_of_the_conflict(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    by_hand = {**SERVICE, "spec": {**SERVICE["spec"], "serveConfigV2": "applications: []"}}
    with pytest.raises(Exception, match='conflict with "raygate-controller"'):
        namespace.api.apply("rayservices", by_hand, "kubectl")


@pytest.mark.parametrize("by_hand", ["{not yaml", "a sentence"])
def test_a_serve_config_that_was_spoilt_by_hand_is_told_and_ends_nobodys_traffic(namespace, operator, by_hand):
    apply(namespace, endpoint())
    operator.look(3)
    namespace.kuberay_works, puts = False, len(namespace.serve.puts)
    spoilt = {**SERVICE, "spec": {**SERVICE["spec"], "serveConfigV2": by_hand}}
    namespace.api.apply("rayservices", spoilt, "kubectl-edit", force=True)
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    operator.look(3)
    assert "changed by hand" in namespace.message("credit-risk", "Ready")
    assert len(namespace.serve.puts) == puts


def test_a_status_that_a_newer_release_wrote_is_read_as_far_as_it_is_known(namespace, start):
    apply(namespace, endpoint(), endpoint("fraud"))
    first = start("newer")
    first.look(3)
    first.leadership.release()
    status = namespace.api.get("modelendpoints", "fraud")["status"]
    accepted = status["accepted"]
    accepted["policy"]["unheardOf"] = accepted["document"]["spec"]["unheardOf"] = True
    newer = {"metadata": {"name": "fraud"}, "status": {**status, "accepted": accepted}}
    namespace.api.replace("modelendpoints", newer, "status")
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    start("older").look(3)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    assert namespace.weights("fraud") == {"1.0.0": 100}


def test_a_document_that_is_written_while_the_controller_decides_is_not_lost(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    apply(namespace, endpoint(split={"stable": 70, "candidate": 30}))
    operator.catch_up()
    apply(namespace, endpoint(split={"stable": 20, "candidate": 80}))  # the controller knows the one before
    operator.leadership.attempt()
    operator.reconciler.look()
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 20, "1.1.0": 80}


def test_an_api_that_is_away_changes_nothing_and_is_no_end(namespace, operator):
    apply(namespace, endpoint())
    operator.look(3)
    namespace.api.go_down()
    from deployments.contracts.errors import RaygateError

    namespace.pass_time(20)
    with pytest.raises(RaygateError):
        operator.leadership.attempt()
    assert not operator.leadership.is_held
    assert namespace.weights() == {"1.0.0": 100}
    namespace.api.is_down = False
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    until(lambda: not operator.watch._is_silent)
    operator.look(3)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}


@pytest.mark.parametrize("writes", range(1, 12))
def test_a_controller_that_dies_after_any_write_is_made_good_by_the_next(namespace, start, writes):
    apply(namespace, endpoint(split={"stable": 90, "candidate": 10}))
    first = start("first")
    first.catch_up()
    namespace.api.dies_after = writes
    for _ in range(4):
        try:
            first.leadership.attempt()
            first.reconciler.look()
            first.catch_up() if not namespace.api.is_down else None
        except Exception:  # it is dead by now, whatever it says
            break
        namespace.pass_time(1)
    first.kill()
    namespace.api.is_down, namespace.api.dies_after = False, None
    namespace.pass_time(60)
    second = start("second")
    second.catch_up()
    second.leadership.attempt()  # sees the lease of the dead one
    namespace.pass_time(16)
    second.look(6)
    assert namespace.weights() == {"1.0.0": 90, "1.1.0": 10}
    assert namespace.condition("credit-risk", "Ready") == IN_FORCE
    status = namespace.api.get("modelendpoints", "credit-risk")["status"]
    assert [made["policyEpoch"] for made in status["decisions"]] == [1]
