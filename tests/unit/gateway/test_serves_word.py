"""Which pools sleep, as Serve tells it."""

import pytest
from ray.serve.schema import ApplicationStatusOverview, DeploymentStatusOverview, ServeStatus

from deployments import sleeping_pools


def status(application="RUNNING", **replicas):
    deployment = DeploymentStatusOverview(
        status="HEALTHY", status_trigger="AUTOSCALING", replica_states=replicas, message=""
    )
    overview = ApplicationStatusOverview(
        status=application, message="", last_deployed_time_s=0.0, deployments={"VersionPool": deployment}
    )
    return ServeStatus(proxies={}, applications={"credit_risk_v1.2.0": overview}, target_capacity=None)


@pytest.mark.parametrize(
    ("found", "asleep"),
    [
        pytest.param(status(), True, id="no-replica"),
        pytest.param(status(STARTING=1), True, id="waking"),
        pytest.param(status(STOPPING=1), True, id="going-to-sleep"),
        pytest.param(status("DEPLOYING", STARTING=1), True, id="coming-up-for-its-weight"),
        pytest.param(status(RUNNING=1), False, id="awake"),
        pytest.param(status(RUNNING=0), True, id="none-running"),
        pytest.param(status("UNHEALTHY", STARTING=1), False, id="broken"),
        pytest.param(status("DEPLOY_FAILED"), False, id="never-came-up"),
    ],
)
def test_a_pool_sleeps_when_it_could_run_and_has_no_replica(found, asleep):
    assert sleeping_pools.names_in(found) == ({"credit_risk_v1.2.0"} if asleep else frozenset())
