"""Experiments of the local stack: begun and ended in the control database, read from the prediction log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING

from deployments.contracts.errors import RaygateError, UnknownEndpoint
from deployments.contracts.experiment import ExperimentDesign, ExperimentOutcome, ExperimentReading
from deployments.contracts.model_version import ModelVersion, Version
from deployments.rollout import experiment_reading, experiments
from deployments.rollout.analysis.error_rate import VERSION_FAULTS
from deployments.rollout.announcement import CONCLUDED
from deployments.rollout.apply import Applier
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.errors import EndpointChanged, ExperimentNotPossible
from deployments.rollout.experiment_reading import Arm
from deployments.rollout.experiments import Experiment, ExperimentStore
from deployments.rollout.statistics.sample import Sample
from ray_apps import waking
from ray_apps.admission import Admission
from ray_apps.control import Progress, gateway_config, local_applier
from ray_apps.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

Alone = Callable[[], AbstractContextManager[None]]
CONTROLLER = "controller"
"""Who ends experiments that end by themselves."""
_COLUMNS = ("prediction_id", "stage", "unit", "assigned_version", "experiment", "outcome")
_log = logging.getLogger("raygate.controller")


class ExperimentControl:
    """Begins, ends and reads experiments; whoever calls holds the stack's lock for the first two."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._endpoints = EndpointStore(settings.control_database)
        self.store = ExperimentStore(settings.control_database)
        self._applier: Applier = local_applier(settings)
        self._admission = Admission(settings, self._endpoints)

    def start(
        self, endpoint: str, design: ExperimentDesign, name: str, actor: str, now: datetime, progress: Progress
    ) -> Experiment:
        """Begin an experiment; in force when it returns.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
            ApprovalRequired: A version of high risk has not been approved.
            RolloutRunning: A rollout moves the weights.
            RaygateError: See ``experiments.begin`` and ``Applier``.
        """
        endpoints = self._endpoints.endpoints()
        if endpoint not in endpoints:
            raise UnknownEndpoint(endpoint, tuple(endpoints))
        begun = experiments.begin(endpoints[endpoint], design, name, actor, now)
        self._put(begun, "experiment started", actor, now, progress)
        return begun

    def stop(self, endpoint: str, actor: str, now: datetime, progress: Progress) -> Experiment:
        """End an experiment and give back the weights of before, unless others have changed them meanwhile.

        Raises:
            NoExperiment: There was none yet.
            ExperimentNotPossible: It was ended before.
            TrafficNotApplied: A pool that is to get traffic does not run, or the gateways do not follow.
        """
        running = self.store.latest(endpoint)
        if running.stopped is not None:
            raise ExperimentNotPossible(endpoint, f"{running.name} was stopped at {running.stopped.isoformat()}")
        ended = running.model_copy(update={"stopped": now})
        if not self._is_in_force(running):
            self._close(ended, actor, now)
            progress("others have changed the endpoint meanwhile: its weights stay")
            return ended
        self._put(ended, "experiment stopped", actor, now, progress)
        return ended

    def judge(self, now: datetime, alone: Alone) -> None:
        """Conclude every experiment that is to end by itself; one's failure keeps no other from its turn.

        Args:
            now: The present moment.
            alone: Held while one is ended.
        """
        for experiment in self.store.running():
            if experiment.design.on_end == "tell":
                continue
            try:
                self.conclude(experiment, now, alone)
            except RaygateError as error:
                _log.warning("%s: %s", experiment.name, error)
            except Exception:
                _log.exception("%s cannot be judged", experiment.name)

    def conclude(self, experiment: Experiment, now: datetime, alone: Alone) -> ExperimentReading | None:
        """Read an experiment, and end it as its design says if nothing that may still come changes the reading.

        One that a changed file, a rollout or a deletion has overtaken is closed, and no traffic moves.

        Args:
            experiment: One that runs.
            now: The present moment.
            alone: Held while it is ended.

        Returns:
            The reading; None if it was overtaken.

        Raises:
            RaygateError: The log cannot be read, a pool that is to get traffic does not run, or the gateways do
                not follow.
        """
        if not self._is_in_force(experiment):
            with alone():
                self._close(experiment.model_copy(update={"stopped": now}), CONTROLLER, now)
            return None
        reading = experiment_reading.read(experiment.design, self.arms(experiment), experiment.is_over(now))
        if reading.outcome is ExperimentOutcome.RUNNING or experiment.design.on_end == "tell":
            return reading
        winner = reading.winner if experiment.design.on_end == "switch" else None
        with alone():
            if self.store.latest(experiment.endpoint) != experiment or not self._is_in_force(experiment):
                return reading  # somebody ended it meanwhile
            ended = experiment.model_copy(update={"stopped": now, "winner": winner})
            told = {"reason": f"{reading.outcome}: {reading.reason}", "reading": reading.model_dump(mode="json")}
            self._put(ended, CONCLUDED, CONTROLLER, now, lambda text: None, told)
        return reading

    def arms(self, experiment: Experiment) -> dict[Version, Arm]:
        """What every version's units did, as far as the prediction log knows it.

        Raises:
            ExperimentNotPossible: There is no prediction log.
            RaygateError: It cannot be read.
        """
        log = self._settings.prediction_log
        if not log:
            raise ExperimentNotPossible(
                experiment.endpoint, "there is no prediction log: RAYGATE_LOG_URI is empty"
            )
        from deployments.prediction_log import labels, reader  # here, because they load Arrow

        known = self._endpoints.endpoints().get(experiment.endpoint)
        predictions = reader.read(
            log,
            model=None if known is None else known.policy.model,
            since=experiment.started,
            until=experiment.stopped,
            columns=_COLUMNS,
            where=lambda table: _rows_of(experiment, table),
        )
        feedback = labels.read_feedback(log, since=experiment.started)
        return arms_in(experiment, predictions, feedback)

    def _is_in_force(self, experiment: Experiment) -> bool:
        """Whether the weights are still the experiment's."""
        known = self._endpoints.endpoints().get(experiment.endpoint)
        return known is not None and known.policy.experiment == experiment.name

    def _close(self, ended: Experiment, actor: str, now: datetime) -> None:
        """Write that an experiment is over whose endpoint is others' by now."""
        detail: dict[str, object] = {"experiment": ended.name, "actor": actor}
        epoch = self._endpoints.last_epoch()
        self.store.write(ended, None, Decision(now, ended.endpoint, "experiment overtaken", epoch, detail))

    def _put(
        self,
        experiment: Experiment,
        action: str,
        actor: str,
        now: datetime,
        progress: Progress,
        told: Mapping[str, object] | None = None,
    ) -> None:
        name = experiment.endpoint
        before = self._endpoints.endpoints()[name]
        wanted = experiments.policy_of(before, experiment, self._endpoints.last_epoch() + 1)
        detail: dict[str, object] = {
            "experiment": experiment.name,
            "actor": actor,
            "design": experiment.design.model_dump(mode="json"),
            **(told or {}),
        }
        self._admission.check_owned(name)
        if experiment.stopped is None:
            self._admission.check_approved(wanted.policy)
        if waking.bring_up(self._applier, self._admission, before.policy, wanted, progress):
            if self._endpoints.endpoints().get(name) != before:  # others were let in while the pools came up
                raise EndpointChanged(name)
            wanted = experiments.policy_of(before, experiment, self._endpoints.last_epoch() + 1)
        model = wanted.policy.model
        self._applier.check_up({str(ModelVersion(model, version)) for version, _ in wanted.policy.slots})
        decision = Decision(now, name, action, wanted.policy.policy_epoch, detail)
        self.store.write(experiment, wanted, decision)
        pools = waking.pools(self._admission.pools, wanted)
        self._applier.switch(pools, gateway_config(self._endpoints.endpoints()), progress)


def arms_in(experiment: Experiment, predictions: pa.Table, feedback: pa.Table) -> dict[Version, Arm]:
    """Units with what became of them; a unit is one observation however often it asked.

    Requests without a unit count for the guardrail alone.
    """
    import pyarrow as pa  # here, because it loads Arrow
    import pyarrow.compute as pc

    worth: dict[str, list[float]] = {}
    for row in feedback.select(["prediction_id", "value"]).to_pylist():
        if row["value"] is not None:
            worth.setdefault(row["prediction_id"], []).append(row["value"])
    units: dict[str, dict[str, list[float]]] = {str(version): {} for version in experiment.weights}
    requests = {version: [0, 0] for version in units}
    # Rows are counted where they lie: as Python's objects those of two weeks would not fit into the controller.
    rows = _rows_of(experiment, predictions)
    counted = rows.append_column("fault", pc.is_in(rows["outcome"], value_set=pa.array(sorted(VERSION_FAULTS))))
    for row in counted.group_by("assigned_version").aggregate([("fault", "sum"), ("fault", "count")]).to_pylist():
        requests[row["assigned_version"]] = [row["fault_sum"], row["fault_count"]]
    known = rows.filter(pc.is_valid(rows["unit"]))
    for row in known.group_by(["assigned_version", "unit"]).aggregate([]).to_pylist():
        units[row["assigned_version"]][row["unit"]] = []
    judged = known.filter(pc.is_in(known["prediction_id"], value_set=pa.array(list(worth), pa.string())))
    for row in judged.to_pylist():
        units[row["assigned_version"]][row["unit"]].extend(worth[row["prediction_id"]])
    return {
        Version.parse(version): Arm(
            experiment.weights[Version.parse(version)], _sample(experiment.design, told), *requests[version]
        )
        for version, told in units.items()
    }


def _rows_of(experiment: Experiment, predictions: pa.Table) -> pa.Table:
    """What callers of an experiment's versions were answered."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "experiment" not in predictions.schema.names:  # a segment of before there were any
        return predictions.slice(0, 0)
    versions = pa.array([str(version) for version in experiment.weights])
    own = pc.and_(pc.equal(predictions["experiment"], experiment.name), pc.equal(predictions["stage"], "live"))
    return predictions.filter(pc.and_(own, pc.is_in(predictions["assigned_version"], value_set=versions)))


def _sample(design: ExperimentDesign, told: Mapping[str, list[float]]) -> Sample:
    if design.metric == "conversion":
        return Sample.of(float(any(value >= design.success_at for value in values)) for values in told.values())
    return Sample.of(sum(values) for values in told.values())
