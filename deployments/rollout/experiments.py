"""Experiments of endpoints: begun, kept and ended. Their weights stay as they are for as long as they run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from deployments.contracts.errors import UnknownVersion
from deployments.contracts.experiment import ExperimentDesign
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen
from deployments.rollout import control_database
from deployments.rollout.control_database import Decision, transaction
from deployments.rollout.endpoint_store import WantedEndpoint, write_endpoint
from deployments.rollout.errors import ExperimentNotPossible, NoExperiment
from deployments.routing.slot_table import SlotTable


class Experiment(Frozen):
    """One experiment.

    Attributes:
        name: What every record of its requests carries.
        endpoint: Name of the endpoint.
        design: What is compared.
        weights: Share of every version, in per cent.
        started: When.
        started_by: Who.
        before: Runs of the slot table that was in force before.
        salt_before: The salt that was in force before.
        stopped: When it was ended; None while it runs.
        winner: The version that has all traffic since its end; None gives back the weights of before.
    """

    name: str
    endpoint: str
    design: ExperimentDesign
    weights: dict[Version, float]
    started: datetime
    started_by: str
    before: tuple[tuple[Version, int], ...]
    salt_before: str
    stopped: datetime | None = None
    winner: Version | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether its time is up or somebody ended it."""
        return self.stopped is not None or now - self.started >= self.design.duration


def begin(wanted: WantedEndpoint, design: ExperimentDesign, name: str, actor: str, now: datetime) -> Experiment:
    """An experiment on equal parts of an endpoint's traffic.

    Raises:
        ExperimentNotPossible: Units have no identity, or something else moves or claims the weights.
        UnknownVersion: A version is not one of the endpoint's.
    """
    policy, document = wanted.policy, wanted.document
    if policy.sticky_by is None:
        raise ExperimentNotPossible(document.name, "traffic.stickyBy must say what a unit is")
    if policy.bandit is not None:
        raise ExperimentNotPossible(document.name, "its bandit moves the weights")
    if policy.experiment:
        raise ExperimentNotPossible(document.name, f"{policy.experiment} owns its weights")
    arms = (design.control, *design.treatments)
    for version in arms:
        if version not in policy.versions:
            raise UnknownVersion(str(version), tuple(map(str, policy.versions)))
    return Experiment(
        name=name,
        endpoint=document.name,
        design=design,
        weights={version: 100 / len(arms) for version in arms},
        started=now,
        started_by=actor,
        before=policy.slots,
        salt_before=policy.salt,
    )


def policy_of(wanted: WantedEndpoint, experiment: Experiment, epoch: int) -> WantedEndpoint:
    """The endpoint while an experiment runs, or after it.

    A new salt shuffles the units: who was in the last one's treatment must not all be in this one's.
    """
    running = experiment.stopped is None
    if experiment.winner is not None:
        table = SlotTable.of({experiment.winner: 100.0})
    else:
        table = SlotTable.of(experiment.weights) if running else SlotTable(experiment.before)
    update = {
        "slots": table.runs,
        "salt": f"{experiment.endpoint}/{experiment.name}" if running else experiment.salt_before,
        "experiment": experiment.name if running else wanted.document.spec.traffic.experiment,
        "policy_epoch": epoch,
    }
    return replace(wanted, policy=wanted.policy.model_copy(update=update))


class ExperimentStore:
    """The latest experiment of every endpoint, in the control plane's SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        control_database.create(file)

    def latest(self, endpoint: str) -> Experiment:
        """The latest experiment of an endpoint.

        Raises:
            NoExperiment: There was none yet.
        """
        with transaction(self._file) as database:
            row = database.execute("SELECT document FROM experiments WHERE endpoint = ?", (endpoint,)).fetchone()
        if row is None:
            raise NoExperiment(endpoint)
        return Experiment.model_validate_json(row[0])

    def running(self) -> list[Experiment]:
        """Experiments that nobody has ended."""
        with transaction(self._file) as database:
            rows = database.execute("SELECT document FROM experiments ORDER BY endpoint").fetchall()
        found = [Experiment.model_validate_json(document) for (document,) in rows]
        return [experiment for experiment in found if experiment.stopped is None]

    def write(self, experiment: Experiment, wanted: WantedEndpoint | None, decision: Decision) -> None:
        """Write an experiment with the policy that follows, if any does: all of it or nothing."""
        with transaction(self._file) as database:
            database.execute(
                "INSERT OR REPLACE INTO experiments VALUES (?, ?)",
                (experiment.endpoint, experiment.model_dump_json(by_alias=True)),
            )
            if wanted is not None:
                write_endpoint(database, wanted)
            control_database.record(database, decision)
