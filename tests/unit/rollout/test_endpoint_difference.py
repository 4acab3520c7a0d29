import pytest
from rollout_examples import V1, V2

from deployments.contracts import endpoint
from deployments.rollout import endpoint_difference, policy
from deployments.rollout.endpoint_store import WantedEndpoint

FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions:
    - {version: 1.0.0, role: stable, scaling: {minReplicas: 2, maxReplicas: 10}}
    - {version: 1.1.0, role: candidate}
  traffic: {split: {1.0.0: 90, 1.1.0: 10}}
"""


def wanted(text=FILE):
    document = endpoint.parse(text, "endpoint.yaml")
    return WantedEndpoint(document, 1, policy.from_document(document, 1))


def test_the_same_file_changes_nothing():
    assert endpoint_difference.in_words(wanted(), wanted()) == ()


def test_a_new_endpoint_is_told_with_its_pools_and_weights():
    assert endpoint_difference.in_words(None, wanted()) == (
        "credit-risk is new: 1.0.0 as stable with 2 to 10 replicas of 0.1 CPUs, "
        "1.1.0 as candidate with 1 replica of 0.1 CPUs",
        "1.0.0 has 0 % of the traffic, will have 90 %",
        "1.1.0 has 0 % of the traffic, will have 10 %",
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        pytest.param(
            "role: candidate}",
            "role: candidate, scaling: {minReplicas: 0, maxReplicas: 4}}",
            (
                "1.1.0 was candidate with 1 replica of 0.1 CPUs, will be 1.1.0 as candidate "
                "with none to 4 replicas (asleep after 10m without a request) of 0.1 CPUs",
            ),
            id="sleep",
        ),
        pytest.param(
            "{1.0.0: 90, 1.1.0: 10}",
            "{1.0.0: 60, 1.1.0: 40}",
            ("1.0.0 has 90 % of the traffic, will have 60 %", "1.1.0 has 10 % of the traffic, will have 40 %"),
            id="weights",
        ),
        pytest.param(
            "minReplicas: 2, maxReplicas: 10",
            "minReplicas: 3, maxReplicas: 10",
            (
                "1.0.0 was stable with 2 to 10 replicas of 0.1 CPUs, "
                "will be 1.0.0 as stable with 3 to 10 replicas of 0.1 CPUs",
            ),
            id="scaling",
        ),
        pytest.param(
            "traffic: {split",
            "cache: {enabled: true}\n  traffic: {stickyBy: {header: x-user-id}, split",
            (
                "spec.cache.enabled: nothing, will be True",
                "spec.traffic.stickyBy.header: nothing, will be x-user-id",
            ),
            id="other-fields",
        ),
        pytest.param(
            "    - {version: 1.1.0, role: candidate}",
            "    - {version: 1.1.0, role: candidate}\n    - {version: 1.2.0, role: candidate}",
            ("a pool is added: 1.2.0 as candidate with 1 replica of 0.1 CPUs",),
            id="one-version-more",
        ),
    ],
)
def test_a_change_is_told_in_words(old, new, told):
    found = endpoint_difference.in_words(wanted(), wanted(FILE.replace(old, new)))
    assert found == told


def test_a_version_that_leaves_is_told_with_its_traffic():
    text = FILE.replace("    - {version: 1.1.0, role: candidate}\n", "").replace("90, 1.1.0: 10", "100")
    assert endpoint_difference.in_words(wanted(), wanted(text)) == (
        f"the pool of {V2} is removed when nobody is sent there any more",
        f"{V1} has 90 % of the traffic, will have 100 %",
        f"{V2} has 10 % of the traffic, will have 0 %",
    )
