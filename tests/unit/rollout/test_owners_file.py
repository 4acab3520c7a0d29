"""The owner's file says what the owner wants: applied again unchanged it takes nothing back that came after it."""

from datetime import UTC, datetime

import pytest

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts import endpoint
from deployments.contracts.model_version import ModelVersion, Version
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import policy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import EndpointChanged
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from ray_apps import admission, control
from ray_apps.settings import Settings

V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions: [{version: 1.0.0, role: stable}]
  traffic: {split: {stable: 100}}
"""
WITH_CHALLENGER = FILE.replace("stable}]", "stable}, {version: 1.1.0, role: candidate}]")
CHANGED = FILE.replace("traffic:", "limits: {deadlineSeconds: 2}\n  traffic:")


def pools_of(document, models, source):
    model = document.spec.model
    return [
        Pool(ModelVersion(model, one.version), f"/models/{one.version}", "d", one.scaling, one.resources)
        for one in document.spec.versions
    ]


@pytest.fixture
def local(tmp_path, monkeypatch):
    """The local control plane over a cluster in memory."""
    platform = Platform("test", GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL)))
    monkeypatch.setattr(control, "local_applier", lambda settings: Applier(MemoryTarget(), platform))
    monkeypatch.setattr(admission, "pools_of", pools_of)
    monkeypatch.setattr(admission, "risk_tiers", lambda settings: lambda model, version: None)
    return control.LocalControl(Settings(state_directory=tmp_path))


def apply(local, text, **by):
    local.apply_document(endpoint.parse(text, "endpoint.yaml"), "endpoint.yaml", **by)


def challenger_is_promoted(local):
    """A retraining adds its challenger, and a rollout makes it stable: in the policy, not in the document."""
    apply(local, WITH_CHALLENGER, by_owner=False)
    served = local.wanted()["credit-risk"]
    made = policy.with_weights(served.policy, {V2: 100.0}, 7).model_copy(update={"stable": V2})
    local.store.decide(WantedEndpoint(served.document, 2, made), "promoted", {}, datetime.now(UTC))


def test_the_unchanged_file_leaves_a_promoted_challenger_its_traffic(local):
    apply(local, FILE)
    challenger_is_promoted(local)
    before = local.wanted()
    assert local.difference(endpoint.parse(FILE, "endpoint.yaml"), "endpoint.yaml").in_words == ()
    apply(local, FILE)
    assert local.wanted() == before
    assert local.wanted()["credit-risk"].policy.slots == ((V2, 10_000),)


def test_a_changed_file_is_taken_at_its_word_and_so_is_the_one_of_before_after_it(local):
    apply(local, FILE)
    challenger_is_promoted(local)
    apply(local, CHANGED)
    assert local.wanted()["credit-risk"].policy.stable == V1
    apply(local, FILE)
    assert local.wanted()["credit-risk"].policy.limits.deadline_seconds != 2


def test_who_is_killed_before_the_file_is_remembered_applies_it_again(local, monkeypatch):
    apply(local, FILE)
    with monkeypatch.context() as patch:
        patch.setattr(type(local.store), "keep_owners_file", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            apply(local, CHANGED)
    apply(local, CHANGED)
    assert local.store.owners_file("credit-risk") == endpoint.parse(CHANGED, "endpoint.yaml")
    assert local.wanted()["credit-risk"].policy.limits.deadline_seconds == 2


def test_a_deleted_endpoint_begins_anew(local):
    apply(local, FILE)
    local.store.forget(local.wanted()["credit-risk"], datetime.now(UTC))
    assert local.store.owners_file("credit-risk") is None


def test_who_was_overtaken_while_pools_came_up_takes_nothing_back(local, monkeypatch):
    apply(local, FILE)
    bring_up, somebody = Applier.bring_up, []

    def slowly(applier, pools, progress):
        bring_up(applier, pools, progress)
        if not somebody:
            somebody.append("else")
            apply(local, CHANGED)

    monkeypatch.setattr(Applier, "bring_up", slowly)
    with pytest.raises(EndpointChanged, match="credit-risk was changed by somebody else"):
        apply(local, WITH_CHALLENGER)
    assert local.wanted()["credit-risk"].document == endpoint.parse(CHANGED, "endpoint.yaml")
    apply(local, WITH_CHALLENGER)
    assert V2 in local.wanted()["credit-risk"].policy.versions
