"""A stack in memory whose endpoints follow an alias of the registry."""

from datetime import UTC, datetime

import yaml

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts import endpoint
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import policy
from deployments.rollout.apply import Applier
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import ApprovalRequired, RolloutRunning
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.reload import Reload
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)


def document(vertical, alias="champion", traffic=None, versions=()):
    stable = {"version": "1.0.0", "role": "stable", **({"alias": alias} if alias else {})}
    return endpoint.parse(
        yaml.safe_dump(
            {
                "apiVersion": "raygate.io/v1alpha1",
                "kind": "ModelEndpoint",
                "metadata": {"name": f"lead-{vertical}"},
                "spec": {
                    "model": f"lead_{vertical}",
                    "versions": [stable, *versions],
                    "traffic": traffic or {"split": {"stable": 100}},
                    "documents": {
                        "pre": "leads.a:pre",
                        "post": "leads.a:post",
                        "route": {"path": "/api/v1/score", "field": "vertical", "value": vertical},
                    },
                },
            }
        ),
        "endpoint.yaml",
    )


def pools_of(served):
    return [
        Pool(ModelVersion(served.spec.model, one.version), "/models", "digest", Scaling(), Resources())
        for one in served.spec.versions
    ]


def gateway_of(store):
    return GatewayConfig(endpoints=tuple(endpoint.policy for endpoint in store.endpoints().values()))


class Stack:
    """Endpoints in a control database and a cluster in memory."""

    def __init__(self, directory):
        self.file = directory / "endpoints.db"
        self.store = EndpointStore(self.file)
        self.target = MemoryTarget()
        self.registry, self.unapproved = MemoryRegistry(), set()
        gateway = GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL))
        self.applier = Applier(self.target, Platform("test", gateway), sleep=lambda seconds: None)
        self.rollouts = SqliteRolloutStore(self.file)
        self.reload = Reload(self.store, self, self.registry, self.applier, lambda: NOON)

    def pools(self, wanted):
        return pools_of(wanted.document)

    def check_owned(self, name):
        running = self.rollouts.rollouts().get(name)
        if running is not None and running.is_active:
            raise RolloutRunning(name, running.name, running.state.phase)

    def owed_champion(self, name):
        latest = self.rollouts.rollouts().get(name)
        return latest.owed_champion if latest else None

    def check_approved(self, made):
        if made.stable in self.unapproved:
            raise ApprovalRequired(made.endpoint, str(made.stable))

    def serve(self, *documents):
        for made in documents:
            epoch = self.store.last_epoch() + 1
            self.store.decide(WantedEndpoint(made, 1, policy.from_document(made, epoch)), "apply", {}, NOON)
            self.registry.aliases[made.spec.model, "champion"] = V1
        wanted = self.store.endpoints().values()
        pools = [pool for endpoint in wanted for pool in pools_of(endpoint.document)]
        self.applier.bring_up(pools, lambda message: None)
        self.applier.switch(pools, gateway_of(self.store), lambda message: None)

    def run(self):
        return self.reload.run("ada", lambda message: None)

    @property
    def running(self):
        return {name for name in self.target.state().applications if "_v" in name}

    @property
    def unused(self):
        """Pools that the controller removes once the way back need not be short any more."""
        return self.applier.superfluous(gateway_of(self.store))
