"""A version that nobody vouches for is refused before anything starts, by its name."""

import pytest

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts import endpoint
from deployments.contracts.errors import InvalidDocument
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout.apply import Applier
from deployments.rollout.serve_config import Platform
from deployments.rollout.serve_target import MemoryTarget
from deployments.runtime import signature
from deployments.runtime.signing_keys import KeyDirectory
from ray_apps import admission, control
from ray_apps.settings import Settings

FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions: [{version: 1.0.0, role: stable}, {version: 1.1.0, role: candidate}]
  traffic: {split: {stable: 90, candidate: 10}}
"""


class Stack:
    """The local control plane over a cluster in memory; of packages there is what the controller reads."""

    def __init__(self, settings):
        self.settings, self.target = settings, MemoryTarget()
        self.keys = KeyDirectory(settings.signing_keys)
        self.keys.create()
        for version in ("1.0.0", "1.1.0"):
            package = self.package(version)
            package.mkdir(parents=True)
            (package / "manifest.json").write_text(version)
            (package / "feature_schema.json").write_text('{"features": [{"name": "Age", "kind": "number"}]}')

    def package(self, version):
        return self.settings.models / "credit_risk" / f"v{version}"

    def sign(self, version, keys=None):
        signature.write(self.package(version), (keys or self.keys).active())

    def apply(self):
        control.LocalControl(self.settings).apply_document(endpoint.parse(FILE, "e.yaml"), "e.yaml")

    @property
    def pools(self):
        return {
            each["name"]: each["args"]
            for each in self.target.puts[-1]["applications"]
            if each["name"].startswith("credit_risk")
        }


@pytest.fixture
def made(monkeypatch):
    """Makes a stack with some settings."""

    def make(**settings):
        stack = Stack(Settings(**settings))
        platform = Platform("test", GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL)))
        monkeypatch.setattr(control, "local_applier", lambda _: Applier(stack.target, platform))
        monkeypatch.setattr(admission, "risk_tiers", lambda settings: lambda model, version: None)
        return stack

    for name in ("MODEL_PATH", "RAYGATE_TRUSTED_KEYS"):
        monkeypatch.delenv(name, raising=False)
    return make


@pytest.fixture
def stack(made, tmp_path):
    return made(state_directory=tmp_path)


def test_a_version_that_is_not_signed_is_named_before_anything_starts(stack):
    stack.sign("1.0.0")
    with pytest.raises(InvalidDocument, match=r"versions\[1\].*credit_risk 1.1.0 .*it is not signed") as refused:
        stack.apply()
    assert "RAYGATE_TRUSTED_KEYS" in str(refused.value)
    assert "1.0.0" not in str(refused.value)
    assert stack.target.puts == []


def test_a_version_of_a_stranger_is_named_with_the_strangers_key(stack, tmp_path):
    stranger = KeyDirectory(tmp_path / "stranger")
    stranger.create()
    stack.sign("1.0.0")
    stack.sign("1.1.0", stranger)
    with pytest.raises(InvalidDocument, match=f"1.1.0 .*{stranger.active_id()}, which is not trusted"):
        stack.apply()
    assert stack.target.puts == []


def test_versions_of_an_older_and_a_newer_key_are_served_until_the_older_one_is_retired(stack):
    stack.sign("1.0.0")
    older = stack.keys.active_id()
    stack.keys.create()
    stack.sign("1.1.0")
    stack.apply()
    stack.keys.retire(older)
    with pytest.raises(InvalidDocument, match=f"1.0.0 .*{older}, which is not trusted"):
        stack.apply()


def test_pools_are_told_where_the_keys_are_and_so_rotating_them_changes_no_pool(stack):
    stack.sign("1.0.0")
    stack.sign("1.1.0")
    stack.apply()
    before = stack.pools
    assert {pool["trusted_keys"] for pool in before.values()} == {f"file:{stack.keys.directory / 'trusted'}"}
    stack.keys.create()
    stack.apply()
    assert stack.pools == before


def test_without_any_key_nothing_is_believed(stack):
    for file in (stack.keys.directory / "trusted").iterdir():
        file.unlink()
    stack.sign("1.0.0")
    with pytest.raises(InvalidDocument, match=r"1.0.0 is not served: .*no public key is there"):
        stack.apply()


def test_who_asks_for_no_signature_is_served_what_is_there(made, tmp_path):
    stack = made(state_directory=tmp_path, trusted_keys="")
    stack.apply()
    assert all("trusted_keys" not in pool for pool in stack.pools.values())
