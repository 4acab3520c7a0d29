"""A retraining run as a job: ``python -m ray_apps.retrain --run retrain-credit-risk-20261121T200000Z``.

With ``--plan retraining.yaml`` it looks first whether a run is due, as ``raygate retrain look`` does: for
schedules of Kubernetes, where nobody decides for the job.

It trains the challenger on the original set and the logged rows that have a label, lets it and the champion judge
the newest of these, registers it if it has won, and writes down what it found. It changes nothing that is served.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from deployments.contracts.errors import RaygateError
from deployments.runtime import columns
from deployments.runtime.package import ModelPackage
from ray_apps.job_log import JobLog
from ray_apps.retraining import labelled_rows, scheduled
from ray_apps.retraining.errors import NotEnoughLabels, RetrainingRefused, UnknownRun
from ray_apps.retraining.journal import AppliedPlan, Journal
from ray_apps.retraining.labelled_rows import Parts
from ray_apps.retraining.local import journal_of
from ray_apps.retraining.plan import Challenge, Winner
from ray_apps.retraining.run import RetrainingRun, State
from ray_apps.retraining.scheduled import ScheduledSettings
from ray_apps.settings import Settings
from ray_apps.train import describe, places_of
from training import run as training_run
from training.challenge import Duel, fight
from training.config import TrainingConfig
from training.errors import DataRejected, GateMissed
from training.places import Places
from training.run import Outcome
from training.sources.parquet import ParquetFile
from training.sources.versioned import pin

FOUND_WANTING = (NotEnoughLabels, DataRejected, GateMissed)
"""Errors that are a result: the rows, or what can be learnt from them, are not good enough."""
Tell = Callable[[str], None]


def perform(name: str, settings: Settings, tell: Tell) -> RetrainingRun:
    """Do a run and write its result down.

    Raises:
        UnknownRun: There is no such run.
        RaygateError: It failed; that is written down, too.
    """
    journal, root = journal_of(settings), settings.state / "retraining"
    run = journal.run(name)
    if run.state not in (State.DECIDED, State.RUNNING):
        raise RetrainingRefused(run.endpoint, f"{name} is {run.state} and is not done again")
    run = journal.change(name, lambda one: _noted(one, State.RUNNING, "the job has begun"))
    _sweep(journal, root)
    directory = root / name
    try:
        found = _find(run, journal.plan(run.endpoint), settings, directory, tell)
    except FOUND_WANTING as error:
        reason = str(error)
        return journal.change(name, lambda one: _noted(one, State.REJECTED, reason))
    except BaseException as error:
        reason = str(error) if isinstance(error, RaygateError) else type(error).__name__
        journal.change(name, lambda one: _noted(one, State.FAILED, reason))
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # logged rows in clear
    return journal.change(name, found)


def _sweep(journal: Journal, root: Path) -> None:
    """Remove the rows of runs that were killed."""
    for left in root.glob("retrain-*/"):
        try:
            active = journal.run(left.name).state.is_active
        except UnknownRun:
            active = False
        if not active:
            shutil.rmtree(left, ignore_errors=True)


def _find(
    run: RetrainingRun, applied: AppliedPlan, settings: Settings, directory: Path, tell: Tell
) -> Callable[[RetrainingRun], RetrainingRun]:
    """Train and judge; what follows for the run."""
    plan, places = applied.plan, places_of(settings)
    config = TrainingConfig.model_validate_json(applied.training)
    champion = places.store.load(run.model, run.champion)
    with contextlib.chdir(applied.directory):  # paths in the document are counted from here
        parts = _parts(run, applied, config, champion, settings)
        labelled_rows.keep(parts, directory)
        told = f"{len(parts.trained)} rows train, {len(parts.judged)} of {parts.logged} logged rows judge"
        tell(f"{told}; {parts.left_out} that equal one of these do not train")
        made = _train(config, applied, directory, places, tell)
    challenger = made.package
    won = False
    try:
        features = columns.from_frame(parts.judged, challenger.schema)
        truth = parts.judged[config.target.column or list(config.target.columns)]
        duel = fight(champion, challenger, features, truth, plan.challenge.metric)
        won = duel.is_won(plan.challenge.minimum_gain)
    finally:
        if not (won or made.reused):  # its reference sample holds logged rows of people
            places.store.remove(run.model, challenger.metadata.version)
    tell(_told(duel, run, challenger))
    if not won:
        return lambda one: _judged(one, State.REJECTED, duel, challenger, plan.challenge)
    training_run.register(challenger, places.store, places.registry)
    describe(run.model, places)
    after = State.APPROVED if plan.winner is Winner.CANARY else State.AWAITING_APPROVAL
    return lambda one: _judged(one, after, duel, challenger, plan.challenge)


def _parts(
    run: RetrainingRun, applied: AppliedPlan, config: TrainingConfig, champion: ModelPackage, settings: Settings
) -> Parts:
    from deployments.prediction_log.personal_data import PersonalDataKeys
    from ray_apps import gateway_arguments

    rows, reference = applied.plan.rows, gateway_arguments.of(settings).personal_data_keys
    keys = PersonalDataKeys.load(reference) if reference else None
    since = run.started - rows.window
    logged = labelled_rows.read(settings.prediction_log, run.model, champion.schema, config.target, since, keys)
    source, _ = pin(config.source)
    return labelled_rows.divide(logged, source.read(), config, rows)


def _train(config: TrainingConfig, applied: AppliedPlan, directory: Path, places: Places, tell: Tell) -> Outcome:
    wanted = config.versions[-1]
    if applied.plan.recipe is not None:
        wanted = next(one for one in config.versions if one.version == applied.plan.recipe)
    source = ParquetFile(kind="parquet", path=str(directory / labelled_rows.TRAINED))
    anew = config.model_copy(update={"source": source, "versions": (wanted.model_copy(update={"version": None}),)})
    [outcome] = training_run.build(anew, places, tell)
    return outcome


def _judged(
    run: RetrainingRun, state: State, duel: Duel, challenger: ModelPackage, challenge: Challenge
) -> RetrainingRun:
    numbers = {name: getattr(duel, name) for name in ("rows", "champion", "challenger", "gain", "low", "high")}
    known = {name: value for name, value in numbers.items() if value == value}
    text = f"{_told(duel, run, challenger)}; to win, all of it must be above {challenge.minimum_gain:g}"
    version = challenger.metadata.version
    return run.after(state, datetime.now(UTC), text, {"metric": duel.metric, **known}, version)


def _told(duel: Duel, run: RetrainingRun, challenger: ModelPackage) -> str:
    return (
        f"{duel.metric} on the newest {duel.rows} labelled rows: {duel.challenger:.4f} for "
        f"{challenger.metadata.version}, {duel.champion:.4f} for {run.champion}; "
        f"gain {duel.gain:+.4f} ({duel.low:+.4f} to {duel.high:+.4f})"
    )


def _noted(run: RetrainingRun, state: State, text: str) -> RetrainingRun:
    return run.after(state, datetime.now(UTC), text)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; the exit status is 0 if it came to a result, whichever, or if nothing was due."""
    parser = argparse.ArgumentParser(
        description="Do a retraining run that was decided, or look whether one is due."
    )
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--run", help="do this one; its name as `raygate retrain history` shows it")
    asked.add_argument("--plan", type=Path, help="retraining document: look once, and do here what is due by it")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    settings = ScheduledSettings() if options.plan else Settings()
    log = JobLog("retraining", settings.log_level)
    try:
        if isinstance(settings, ScheduledSettings):
            serving = scheduled.serving_of(settings)
            latest = scheduled.look(
                options.plan, settings, serving, lambda name: perform(name, settings, log.tell), log.tell
            )
            # As long as the latest run has failed: a schedule that tries again would take silence for success.
            return int(latest is not None and latest.state is State.FAILED)
        run = perform(options.run, settings, log.tell)
    except RaygateError as error:
        log.fail(error)
        return 1
    log.tell(f"{run.name}: {run.state}")
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    """Somebody stops the job: end as an error does, so that it is written down and no row stays behind."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
