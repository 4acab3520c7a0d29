"""A controller that is killed by SIGKILL at a call of its choice, over SQLite and a cluster that is a file.

As a program: ``mortal_controller.py DIRECTORY good|bad`` lives a rollout undisturbed, then once for every call
that it made to what is around it: a process that is killed before that call, and one that goes on to the end. Each
life has a directory. Everything is imported once; each process is a fork.
"""

import json
import os
import shutil
import signal
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from rollout_examples import NAME, NOON, V1, V2, counted, wanted_endpoint

from deployments.access.policy import AccessPolicy, Mode
from deployments.contracts.endpoint import Resources, Scaling
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import GatewayConfig
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout import capacity, control_database
from deployments.rollout.apply import Applier
from deployments.rollout.controller import Controller, Surroundings
from deployments.rollout.decision_follower import DecisionFollower
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.evidence import MemoryEvidence
from deployments.rollout.owed_aliases import OwedAliases
from deployments.rollout.reconciler import Domain, Reconciler
from deployments.rollout.registry import MemoryRegistry
from deployments.rollout.replay_gate import MemoryReplays
from deployments.rollout.serve_config import Platform, Pool
from deployments.rollout.serve_target import MemoryTarget
from deployments.rollout.service import RolloutService
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from ray_apps.controller import LocalTraffic

PLAN = (
    "steps: [{weight: 10, hold: 15s}, {weight: 50, hold: 15s}], analysis: {interval: 15s, minRequests: 100, "
    "checks: [{check: error-rate}]}"
)
TICK = timedelta(seconds=16)
TRAFFIC = {"good": counted(300), "bad": counted(300, failed=60)}
REPLICAS = {V1: 4, V2: 1}
LONGEST = 40
"""Looks after which a rollout that has not ended will not."""
AT_A_TIME = 4
"""Lives: most of one is waiting for the disk."""


class Lines:
    """A file of JSON lines: what is in it outlives the process."""

    def __init__(self, file):
        self.file = file

    def add(self, line):
        with self.file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def read(self):
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


@dataclass
class Fate:
    """Counts the calls to what is around the controller, and ends the process before one of them."""

    fatal: int | None = None
    calls: list[str] = field(default_factory=list)

    def at(self, name):
        self.calls.append(name)
        if len(self.calls) == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def before(self, owner, name):
        call = getattr(owner, name)

        def called(*arguments, **named):
            self.at(name)
            return call(*arguments, **named)

        setattr(owner, name, called)


class Evidence(MemoryEvidence):
    """The same traffic at every look, whoever looks."""

    def __init__(self, candidate, looks):
        super().__init__()
        self.candidate, self.looks = candidate, looks

    def figures(self, model):
        self.counts = {str(V1): VersionCounts(), str(V2): VersionCounts()}
        for _ in self.looks.read():
            self.counts[str(V1)].add(counted(1000))
            self.counts[str(V2)].add(self.candidate)
        return super().figures(model)


class Life:
    """One process of the controller over what is in a directory."""

    def __init__(self, directory, traffic, fate):
        self.database = directory / "endpoints.db"
        self.looks, self.puts = Lines(directory / "looks"), Lines(directory / "puts")
        self.moves, self.told = Lines(directory / "moves"), Lines(directory / "told")
        self.store, self.endpoints = SqliteRolloutStore(self.database), EndpointStore(self.database)
        self.target = MemoryTarget([put["config"] for put in self.puts.read()], on_put=self._note_put)
        registry = MemoryRegistry()
        registry.name_champion = lambda version: self.moves.add(str(version))
        gateway = GatewayArguments(access=AccessPolicy(mode=Mode.INSECURE_LOCAL))
        self.applier = Applier(
            self.target, Platform("test", gateway), waiting=lambda: capacity.waiting(self.store.rollouts())
        )
        traffic_of = LocalTraffic(self.applier, self._pools, self.store)
        evidence = Evidence(TRAFFIC[traffic], self.looks)
        around = Surroundings(self.store, evidence, traffic_of, MemoryReplays(), self._now)
        holder = f"controller-{os.getpid()}"
        self.controller = Controller(holder, around)
        self.aliases = OwedAliases(holder, self.store, registry, self._now)
        self.follower = DecisionFollower(self.database, "notifications", self._tell, whole_history=True)
        self.reconciler = Reconciler(self._domain())
        self.fate = fate
        for owner, name in (
            (self.store, "lead"),
            (self.store, "write"),
            (self.target, "put"),
            (registry, "name_champion"),
        ):
            fate.before(owner, name)
        # Inside of the transaction of a decision, between what is wanted and the entry of the history.
        fate.before(control_database, "record")

    def begin(self):
        """Serve the endpoint and begin its rollout."""
        wanted = wanted_endpoint(PLAN)
        self.endpoints.decide(wanted, "apply", {"weights": {str(V1): 100.0, str(V2): 0.0}}, NOON)
        pools = self._pools(wanted)
        self.applier.bring_up(pools, lambda text: None)
        self.applier.switch(pools, GatewayConfig(endpoints=(wanted.policy,)), lambda text: None)
        RolloutService(self.store, self._now, lambda *version: None).start(NAME, None, "ann")

    def go_on(self):
        """Look until nothing is left to do, and once more."""
        while not self._is_over():
            self._look()
        self._look()

    def _look(self):
        assert len(self.looks.read()) < LONGEST, self.store.rollouts()[NAME].state
        self.looks.add("")
        self.controller.tick()
        self.aliases.look()
        self.follower.look()
        self.reconciler.look()

    def _is_over(self):
        rollout = self.store.rollouts()[NAME]
        return not rollout.is_active and not rollout.holds_capacity and rollout.owed_champion is None

    def _now(self):
        return NOON + TICK * len(self.looks.read())

    def _note_put(self, config):
        known = [made.policy_epoch for made in self.store.history(NAME)]
        self.puts.add({"config": config, "decided": known})

    def _tell(self, number, decision):
        self.fate.at("tell")
        self.told.add([number, decision.action])
        self.fate.at("remember that it was told")
        return True

    def _pools(self, wanted):
        pools = [
            Pool(
                ModelVersion("credit_risk", version), "/models", "d", Scaling(min_replicas=least, max_replicas=8),
                Resources(),
            )
            for version, least in REPLICAS.items()
        ]  # fmt: skip
        return capacity.with_capacity(pools, self.store.rollouts())

    def _domain(self):
        return Domain(
            store=self.endpoints,
            applier=self.applier,
            pools=lambda wanted: self._pools(wanted[NAME]),
            is_moving=lambda: any(rollout.is_moving for rollout in self.store.rollouts().values()),
            clock=self._now,
            alone=nullcontext,
            grace=timedelta(days=1),
            is_awaited=lambda: False,
        )


def begun(act):
    """Id of a process that does something and ends."""
    pid = os.fork()
    if pid:
        return pid
    try:
        act()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def ended(pid):
    """How a process ended: its exit code, or less than 0 for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def live(directory, traffic, fate):
    Life(directory, traffic, fate).go_on()
    Lines(directory / "calls").add(fate.calls)


def die_and_go_on(origin, directory, traffic, fatal):
    shutil.copytree(origin, directory)
    assert ended(begun(partial(live, directory, traffic, Fate(fatal)))) == -signal.SIGKILL
    assert ended(begun(partial(live, directory, traffic, Fate()))) == 0


def main(root, traffic):
    origin, undisturbed = root / "origin", root / "undisturbed"
    origin.mkdir()
    assert ended(begun(lambda: Life(origin, traffic, Fate()).begin())) == 0
    shutil.copytree(origin, undisturbed)
    assert ended(begun(partial(live, undisturbed, traffic, Fate()))) == 0
    calls = Lines(undisturbed / "calls").read()[0]
    lives = [
        partial(die_and_go_on, origin, root / f"killed-{fatal:03d}", traffic, fatal)
        for fatal in range(1, len(calls) + 1)
    ]
    for some in range(0, len(lives), AT_A_TIME):
        assert {ended(pid) for pid in [begun(life) for life in lives[some : some + AT_A_TIME]]} == {0}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
