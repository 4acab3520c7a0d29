"""A rollout in memory: an endpoint, a plan, figures that a test writes, and a clock that it moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from deployments.contracts import endpoint
from deployments.contracts.errors import TrafficNotApplied
from deployments.contracts.metric_names import LATENCY_BUCKETS_SECONDS
from deployments.contracts.model_version import Version
from deployments.contracts.package import RiskTier
from deployments.contracts.snapshot import VersionCounts
from deployments.rollout import policy
from deployments.rollout.controller import Controller, Surroundings
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import CapacityComing
from deployments.rollout.evidence import MemoryEvidence
from deployments.rollout.owed_aliases import OwedAliases
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.replay_gate import MemoryReplays
from deployments.rollout.rollout_store import MemoryRolloutStore
from deployments.rollout.service import RolloutService
from deployments.routing.slot_table import SlotTable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
V1, V2 = Version(1, 0, 0), Version(1, 1, 0)
NAME = "credit-risk"
TWO_STEPS = "steps: [{weight: 10, hold: 60s}, {weight: 50, hold: 60s}]"
_ANALYSIS = "analysis: {interval: 15s, minRequests: 100}"
_FILE = """
apiVersion: raygate.io/v1alpha1
kind: ModelEndpoint
metadata: {name: credit-risk}
spec:
  model: credit_risk
  versions:
    - {version: 1.0.0, role: stable}
    - {version: 1.1.0, role: candidate}
  traffic: {split: {stable: 100}}
  rollout: {%s}
"""


def wanted_endpoint(plan: str = f"{TWO_STEPS}, {_ANALYSIS}") -> WantedEndpoint:
    """The endpoint with its file applied."""
    document = endpoint.parse(_FILE % plan, "endpoint.yaml")
    return WantedEndpoint(document, 1, policy.from_document(document, 1))


def counted(
    requests: int, failed: int = 0, slow: int = 0, labels: dict[str, int] | None = None, code: str = "MODEL_ERROR"
) -> VersionCounts:
    """Figures of a version: a request takes 20 ms, a slow one 600 ms."""
    latencies = [0] * (len(LATENCY_BUCKETS_SECONDS) + 1)
    latencies[LATENCY_BUCKETS_SECONDS.index(0.02)] = requests - slow
    latencies[LATENCY_BUCKETS_SECONDS.index(1.0)] = slow
    answered = requests - failed
    return VersionCounts(
        requests={"OK": answered, code: failed},
        latency_counts=latencies,
        rows=answered,
        row_errors={"MODEL_ERROR": failed} if code == "MODEL_ERROR" else {},
        labels=labels or {"good": round(0.7 * answered), "bad": answered - round(0.7 * answered)},
    )


@dataclass
class MemoryTraffic:
    """Gateways that follow at once.

    Attributes:
        applied: Policy epoch and candidate's share of each time that something was applied.
        broken: Why nothing can be applied, or empty.
        crowded: Whether there is no place for all the replicas that weights need.
        released: Endpoints whose pools may be small again, once for each time.
    """

    applied: list[tuple[int, float]] = field(default_factory=list)
    stable: list[Version] = field(default_factory=list)
    broken: str = ""
    crowded: bool = False
    released: list[str] = field(default_factory=list)

    def apply(self, wanted, endpoint, patient):
        if self.broken:
            raise TrafficNotApplied(self.broken)
        if self.crowded and patient:
            raise CapacityComing("waiting for replicas")
        made = wanted[endpoint].policy
        self.applied.append((made.policy_epoch, round(100 * SlotTable(made.slots).shares.get(V2, 0.0), 2)))
        self.stable.append(made.stable)

    def release(self, wanted):
        if self.broken:
            raise TrafficNotApplied(self.broken)
        self.released.append(wanted.document.name)

    def replicas(self, version):
        return 2

    @property
    def weight(self) -> float:
        """The candidate's share in force, in per cent."""
        return self.applied[-1][1] if self.applied else 0.0


@dataclass
class World:
    """Everything around a controller."""

    store: MemoryRolloutStore
    now: datetime = NOON
    evidence: MemoryEvidence = field(default_factory=MemoryEvidence)
    traffic: MemoryTraffic = field(default_factory=MemoryTraffic)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    replays: MemoryReplays = field(default_factory=MemoryReplays)
    risk: RiskTier | None = None
    aliases: OwedAliases | None = None

    @classmethod
    def with_plan(cls, plan: str = f"{TWO_STEPS}, {_ANALYSIS}") -> World:
        return cls(MemoryRolloutStore(wanted={NAME: wanted_endpoint(plan)}))

    @property
    def service(self) -> RolloutService:
        return RolloutService(self.store, lambda: self.now, lambda model, version: self.risk)

    def controller(self, holder: str = "one") -> Controller:
        around = Surroundings(self.store, self.evidence, self.traffic, self.replays, lambda: self.now)
        self.aliases = OwedAliases(holder, self.store, self.registry, lambda: self.now)
        return Controller(holder, around)

    @property
    def rollout(self):
        return self.store.rollouts()[NAME]

    def serve(self, candidate: VersionCounts, stable: VersionCounts | None = None) -> None:
        """Let requests come in."""
        for version, more in ((V2, candidate), (V1, stable or counted(1000))):
            self.evidence.counts.setdefault(str(version), VersionCounts()).add(more)

    def go(self, controller: Controller, seconds: float, candidate=None, stable=None) -> None:
        """Let time pass, a look every five seconds; requests come in at each, and aliases move."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            if candidate is not None:
                self.serve(candidate, stable)
            controller.tick()
            self.aliases.look()
            self.now += timedelta(seconds=5)
