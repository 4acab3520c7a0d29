"""Commands of the local stack: ``up``, ``status``, ``down``."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.contracts.errors import RaygateError
from ray_apps.cli import callers_key, console, stack_report
from ray_apps.local import first_predictions, life_cycle, mlflow_page, ray_cluster, readiness
from ray_apps.local.lock import CommandRunning, exclusive
from ray_apps.local.places import Places
from ray_apps.local.run_state import Phase, RunningProcess, read_run
from ray_apps.local.status import read_status
from ray_apps.local.training_run import Training, looks_trained
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from ray_apps.control import LocalControl

_READY_TIMEOUT_S = 180.0
_SAMPLE_ROWS = 6
_WATCH_INTERVAL_S = 0.5


def up(
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Endpoint file to serve.", exists=True, dir_okay=False)
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            "--train", help="Training config; what it names is trained first.", exists=True, dir_okay=False
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when the stack is ready.")] = False,
    mlflow: Annotated[bool, typer.Option(help="Start MLflow's web page as well.")] = True,
    insecure_local: Annotated[
        bool, typer.Option("--insecure-local", help="Ask nobody for a credential until the stack goes down.")
    ] = False,
) -> None:
    """Start Ray on this machine, serve an endpoint, and stay until Ctrl-C."""
    settings = Settings()
    with _terminated_like_interrupted():
        with exclusive(Places(settings.state).lock_file):
            found = life_cycle.running_stack(settings)
            keep_up = not detach and (found is None or found.is_abandoned())
            if found is None:
                _start(settings, file, train, mlflow, insecure_local)
            else:
                console.say(f"The stack is up already, at {found.api_url}.")
                _reapply(settings, file, train)
            if found is None or found.is_abandoned():
                life_cycle.record(settings, Phase.UP, keeper=RunningProcess.of(os.getpid()) if keep_up else None)
        if keep_up:
            _keep(settings)
        else:
            console.say("The stack stays up; `raygate down` stops it.")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show the stack on this machine; exit code 0 if it is ready, else 1."""
    found = read_status(Settings())
    show = stack_report.show_status_json if as_json else stack_report.show_status
    show(found)
    if not found.ready:
        raise typer.Exit(1)


def down() -> None:
    """Stop the stack on this machine; does nothing if it is not up."""
    settings = Settings()
    with _terminated_like_interrupted():
        if not _stop_alone(settings):
            console.say("The stack was not up.")


def _start(settings: Settings, file: Path | None, train: Path | None, mlflow: bool, insecure_local: bool) -> None:
    """From nothing to ready; where that fails nothing is left running."""
    training = Training(settings, train) if train else None
    early = train is not None and looks_trained(train, settings.models)
    ports = life_cycle.prepare(settings, mlflow, console.say)
    try:
        ray = life_cycle.start(settings, ports, mlflow, insecure_local)
        callers_key.prepare(settings)
        if training and early:
            training.ask_early()
        with console.step("Starting Ray"):
            ray_cluster.wait_for_ray(settings, ray)
        _train(training)
        if mlflow:
            life_cycle.add_mlflow(settings)
        _serve_afresh(settings, file)
        life_cycle.add_controller(settings)
        if settings.tls_certificate:
            life_cycle.add_tls(settings)
        _introduce(settings, file)
    except (Exception, KeyboardInterrupt):
        _stop(settings)
        raise


def _reapply(settings: Settings, file: Path | None, train: Path | None) -> None:
    """Bring a stack that is up to what is wanted now."""
    if train is not None:
        _train(Training(settings, train))
    if file is not None:
        from ray_apps.control import LocalControl

        _apply(settings, LocalControl(settings), file)
    life_cycle.add_controller(settings)
    _introduce(settings, file)


def _train(training: Training | None) -> None:
    if training is None or training.has_nothing_to_do():
        return
    console.say("Training what is not in the file store yet")
    training.run()


def _serve_afresh(settings: Settings, file: Path | None) -> None:
    """Put endpoints in force on an empty Serve: what the state database holds, then the file."""
    # Imported here: it loads Ray, which takes a second or two that `status` and `down` need not wait for.
    from ray_apps.control import LocalControl

    control = LocalControl(settings)
    with console.step("Restoring what was served before") as progress:
        restored = _restore(control, progress, essential=file is None)
    if file is not None:
        _apply(settings, control, file)
    elif restored:
        _wait_until_ready(settings)
    else:
        console.say("Nothing to serve yet; `raygate apply -f ENDPOINT_FILE` changes that.")


def _apply(settings: Settings, control: LocalControl, file: Path) -> None:
    with console.step(f"Serving {file}") as progress:
        control.apply(file, progress)
    _wait_until_ready(settings, first_predictions.endpoint_and_stable(file)[0])


def _wait_until_ready(settings: Settings, endpoint: str | None = None) -> None:
    with console.step("Waiting until ready") as progress:
        readiness.wait_ready(settings.api_url, _READY_TIMEOUT_S, progress, endpoint)


def _restore(control: LocalControl, progress: Callable[[str], None], essential: bool) -> bool:
    try:
        return control.restore(progress)
    except RaygateError as error:
        if essential:
            raise
        # The file says what is wanted now; an endpoint of yesterday whose package is gone must not prevent it.
        console.warn(f"what was served before could not be restored: {error}")
        return False


def _introduce(settings: Settings, file: Path | None) -> None:
    """Show that it works and where it is."""
    if file is None:
        stack_report.show_urls(_urls(settings))
        return
    endpoint, stable = first_predictions.endpoint_and_stable(file)
    rows = first_predictions.sample_rows(settings.models, stable, _SAMPLE_ROWS)
    try:
        headers = callers_key.headers(settings)
        stack_report.show_predictions(endpoint, first_predictions.send(settings.api_url, endpoint, rows, headers))
    except RaygateError as error:  # a row for show is no reason to stop what serves
        console.warn(f"a row of the reference sample was not answered: {error}")
    stack_report.show_urls(_urls(settings))
    line = first_predictions.curl_line(settings.api_url, endpoint, rows[0], callers_key.curl_option(settings))
    console.say(f"\n{line}\n")


def _urls(settings: Settings) -> dict[str, str]:
    urls = {
        "API": settings.api_url,
        **({"API over TLS": settings.tls_url} if settings.tls_certificate else {}),
        "API docs": f"{settings.api_url}/docs",
        "Ray dashboard": settings.dashboard_url,
        "Metrics": settings.metrics_url,
    }
    run = read_run(Places(settings.state).run_file)
    if (run is not None and "mlflow" in run.processes) or not mlflow_page.has_own_page(settings):
        urls["MLflow"] = mlflow_page.page_url(settings)
    return urls


def _keep(settings: Settings) -> None:
    """Stay until Ctrl-C, until `raygate down`, or until Ray dies."""
    run_file = Places(settings.state).run_file
    console.say("Ctrl-C stops the stack.")
    try:
        while (run := read_run(run_file)) is not None and run.is_alive():
            if run.phase is Phase.UP:
                life_cycle.add_controller(settings)
            time.sleep(_WATCH_INTERVAL_S)
    except KeyboardInterrupt:
        _stop_alone(settings)
        return
    if run is None or run.phase is Phase.STOPPING:
        console.say("The stack was stopped by `raygate down`.")
        return
    log = Places(settings.state).log("ray")
    _stop_alone(settings)
    raise ray_cluster.failure("Ray", "ended by itself", log)


def _stop_alone(settings: Settings) -> bool:
    """Stop while no other command changes the stack; a reload that takes minutes is no reason to stay up.

    Raises:
        CommandRunning: Another command than the controller's own work holds the lock.
    """
    lock_file = Places(settings.state).lock_file
    try:
        with exclusive(lock_file):
            return _stop(settings)
    except CommandRunning:
        if not life_cycle.stop_controller(settings):
            raise
    with exclusive(lock_file):  # the kernel has taken it from the controller
        return _stop(settings)


def _stop(settings: Settings) -> bool:
    """Stop in order; a second Ctrl-C kills what is left.

    Returns:
        Whether there was anything to stop.
    """
    try:
        with console.step("Stopping the stack") as progress:
            return life_cycle.stop(settings, progress)
    except KeyboardInterrupt:
        with console.step("Killing the stack") as progress:
            return life_cycle.stop(settings, progress, force=True)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and the SIGHUP of a closed terminal are taken as Ctrl-C; what `nohup` ignores stays ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
