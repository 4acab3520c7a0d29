"""The controller as a process: ``python -m ray_apps.controller``. It holds no state that a crash would lose."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from deployments.contracts.errors import InvalidDocument, RaygateError
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.notification import Notification
from deployments.logs import setup as logs
from deployments.rollout.apply import Applier
from deployments.rollout.challenger_watch import ChallengerWatch
from deployments.rollout.controller import Controller, Surroundings
from deployments.rollout.decision_follower import AUDIT, DecisionFollower
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import CapacityComing
from deployments.rollout.kept_records import KeptRecords
from deployments.rollout.notifier import Notifier
from deployments.rollout.owed_aliases import OwedAliases
from deployments.rollout.reconciler import Domain, Reconciler
from deployments.rollout.rollout_store import RolloutStore
from deployments.rollout.serve_config import Pool
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from ray_apps import admin_api, waking
from ray_apps.admission import Admission
from ray_apps.champion_alias import MlflowRegistry
from ray_apps.control import gateway_config, local_applier
from ray_apps.experiment_control import ExperimentControl
from ray_apps.local.lock import exclusive, somebody_is_aside
from ray_apps.local.places import Places
from ray_apps.replay_gate import BatchReplays
from ray_apps.rollout_evidence import local_evidence
from ray_apps.settings import Settings

TICK_SECONDS = 0.5
RECONCILE_SECONDS = 10.0
FOLLOW_SECONDS = 5.0
REGISTRY_SECONDS = 10.0
CHAMPION_SECONDS = 1.0
EXPERIMENT_SECONDS = 60.0
CHALLENGERS, CHAMPIONS = "challengers", "champions"
"""Names of the duties that look at one alias of the registry, and move another."""
_log = logging.getLogger("raygate.controller")


class LocalTraffic:
    """Makes the gateways of the local stack follow; see ``controller.Traffic``.

    Args:
        applier: Of the cluster.
        pools_of: Pools of an endpoint, with the replicas that a rollout needs.
        rollouts: What was decided.
    """

    def __init__(
        self, applier: Applier, pools_of: Callable[[WantedEndpoint], list[Pool]], rollouts: RolloutStore
    ) -> None:
        self._applier, self._pools_of, self._rollouts = applier, pools_of, rollouts

    def apply(self, wanted: Mapping[str, WantedEndpoint], endpoint: str, patient: bool) -> None:
        """See Traffic."""
        policy = wanted[endpoint].policy
        served = {version for version, _ in policy.slots}
        if self._rollouts.rollouts()[endpoint].state.weight:  # the way back waits for no replica and no package
            pools = self._pools_of(wanted[endpoint])
            with nullcontext() if patient else suppress(CapacityComing):
                self._applier.grow([pool for pool in pools if pool.name.version in served])
        else:
            pools = waking.pools(self._pools_of, wanted[endpoint])
        self._applier.check_up({str(ModelVersion(policy.model, version)) for version in served})
        self._applier.switch(pools, gateway_config(wanted), _log.debug, ready=endpoint)

    def release(self, wanted: WantedEndpoint) -> None:
        """See Traffic."""
        self._applier.ask_for(self._pools_of(wanted))

    def replicas(self, version: ModelVersion) -> int:
        """See Traffic."""
        return self._applier.replicas(str(version))


def reconciler(settings: Settings) -> Reconciler:
    """What keeps this machine's Serve at what was decided."""
    store, rollouts = EndpointStore(settings.control_database), SqliteRolloutStore(settings.control_database)
    admission, lock_file = Admission(settings, store), Places(settings.state).lock_file

    def pools(wanted: Mapping[str, WantedEndpoint]) -> list[Pool]:
        found: list[Pool] = []
        for endpoint in wanted.values():
            try:
                found += admission.pools(endpoint)
            except InvalidDocument as error:  # a package is gone; what runs goes on
                _log.debug("%s", error)
        return found

    return Reconciler(
        Domain(
            store=store,
            applier=local_applier(settings),
            pools=pools,
            is_moving=lambda: any(rollout.is_moving for rollout in rollouts.rollouts().values()),
            clock=lambda: datetime.now(UTC),
            alone=lambda: exclusive(lock_file, wait=True),
            grace=timedelta(seconds=settings.pool_grace_seconds),
            is_awaited=lambda: somebody_is_aside(lock_file),
        )
    )


def surroundings(settings: Settings) -> Surroundings:
    """What a controller of this machine works with."""
    lock_file = Places(settings.state).lock_file
    store = SqliteRolloutStore(settings.control_database)
    admission = Admission(settings, EndpointStore(settings.control_database))
    return Surroundings(
        store=store,
        evidence=local_evidence(settings),
        traffic=LocalTraffic(local_applier(settings), admission.pools, store),
        replays=BatchReplays(settings),
        clock=lambda: datetime.now(UTC),
        alone=lambda: exclusive(lock_file, wait=True),
    )


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done again and again.

    Attributes:
        name: For the log.
        look: Does what is due.
        pause_seconds: Between two looks.
        woken: Set it to end a pause.
    """

    name: str
    look: Callable[[], object]
    pause_seconds: float
    woken: threading.Event = field(default_factory=threading.Event)


def attend(duty: Duty, stopping: threading.Event) -> None:
    """Look again and again until it is to stop, and is woken; what goes wrong once is tried again."""
    told = ""
    while not stopping.is_set():
        duty.woken.wait(duty.pause_seconds)
        duty.woken.clear()
        if stopping.is_set():
            return
        try:
            duty.look()
            told = ""
        except (sqlite3.Error, RaygateError) as error:
            if str(error) != told:
                _log.warning("%s: %s", duty.name, error)
            told = str(error)
        except Exception:
            _log.exception("%s failed unexpectedly", duty.name)


def duties(settings: Settings) -> tuple[Duty, ...]:
    """What the controller of this machine does."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    controller, keeper = Controller(holder, surroundings(settings)), reconciler(settings)

    def while_leading(look: Callable[[], object]) -> Callable[[], None]:
        def looks() -> None:
            if controller.leads():
                look()

        return looks

    return (
        Duty("rollouts", controller.tick, TICK_SECONDS),
        Duty(CHAMPIONS, _owed_aliases(holder, settings).look, CHAMPION_SECONDS),
        Duty("reconciling", while_leading(keeper.look), RECONCILE_SECONDS),
        Duty("experiments", while_leading(_experiments_judge(settings)), EXPERIMENT_SECONDS),
        Duty("retraining", while_leading(_retraining(settings)), settings.retraining_seconds),
        Duty(CHALLENGERS, while_leading(_challenger_watch(settings).look), REGISTRY_SECONDS),
        *(Duty(name, while_leading(look), FOLLOW_SECONDS) for name, look in _followers(settings)),
    )


def _experiments_judge(settings: Settings) -> Callable[[], None]:
    """Ends experiments that are to end by themselves."""
    control, lock_file = ExperimentControl(settings), Places(settings.state).lock_file
    return lambda: control.judge(datetime.now(UTC), lambda: exclusive(lock_file, wait=True))


def _owed_aliases(holder: str, settings: Settings) -> OwedAliases:
    store, registry = SqliteRolloutStore(settings.control_database), MlflowRegistry(settings.mlflow_uri)
    return OwedAliases(holder, store, registry, lambda: datetime.now(UTC))


def _challenger_watch(settings: Settings) -> ChallengerWatch:
    store = EndpointStore(settings.control_database)
    registry = MlflowRegistry(settings.mlflow_uri)
    return ChallengerWatch(settings.control_database, registry, admin_api.local_service(settings), store.endpoints)


def _followers(settings: Settings) -> Iterator[tuple[str, Callable[[], None]]]:
    """What follows from decisions, by the name under which it is remembered how far that is."""
    file = settings.control_database
    store = SqliteRolloutStore(file)

    def receivers(endpoint: str) -> tuple[Notification, ...]:
        known = store.endpoints().get(endpoint)
        return known.document.spec.rollout.notify if known else ()

    yield "notifications", DecisionFollower(file, "notifications", Notifier(receivers).take).look
    if settings.prediction_log:
        records = KeptRecords(settings.prediction_log, lambda: datetime.now(UTC))
        yield "kept records", DecisionFollower(file, "kept records", records.take).look
    if settings.decision_store:
        from deployments.rollout import decision_audit  # here, because it loads SQLAlchemy

        audit = decision_audit.DecisionAudit(settings.decision_store, settings.environment)
        yield AUDIT, decision_audit.follower(file, audit).look


def _retraining(settings: Settings) -> Callable[[], object]:
    from ray_apps.retraining.local import local_watch

    return local_watch(settings).look_at_all


def main() -> None:
    """Run until SIGTERM."""
    import uvicorn

    settings = Settings()
    logs.configure("controller", settings.log_level)
    stopping, attended = threading.Event(), {duty.name: duty for duty in duties(settings)}
    threads = [
        threading.Thread(target=attend, args=(duty, stopping), name=duty.name, daemon=True)
        for duty in attended.values()
    ]
    for thread in threads:
        thread.start()
    # uvicorn ends at SIGTERM and SIGINT.
    uvicorn.run(
        admin_api.build(settings, look_at_registry=attended[CHALLENGERS].woken.set),
        host="127.0.0.1",
        port=settings.control_port,
        log_level="warning",
        access_log=False,
    )
    stopping.set()
    for duty in attended.values():
        duty.woken.set()
    for thread in threads:
        thread.join(timeout=40)


if __name__ == "__main__":
    main()
