"""An endpoint, a design and what its arms did, for tests of experiments."""

from datetime import UTC, datetime

from deployments.contracts import endpoint
from deployments.contracts.experiment import ExperimentDesign
from deployments.contracts.model_version import Version
from deployments.rollout import policy
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.experiment_reading import Arm
from deployments.rollout.statistics.sample import Sample

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STICKY = "split: {stable: 100}, stickyBy: {header: x-user-id}"
A, B, C = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)


def wanted_endpoint(traffic):
    """The endpoint with a traffic section."""
    text = f"""
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {{name: credit-risk}}
spec:
  model: credit_risk
  versions: [{{version: 1.0.0, role: stable}}, {{version: 1.1.0, role: candidate}}]
  traffic: {{{traffic}}}
"""
    document = endpoint.parse(text, "endpoint.yaml")
    return WantedEndpoint(document, 1, policy.from_document(document, 1))


def design(**more):
    return ExperimentDesign(**{"control": A, "treatments": (B,), "baseline": 0.1, "effect": 0.02, **more})


def arm(successes, units, share=50.0, failed=0):
    return Arm(share, Sample.of_proportion(successes, units), failed, units)
