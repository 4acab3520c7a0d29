"""The local stack from nothing to running and back."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from deployments.contracts.errors import RaygateError
from ray_apps.local import controller_process, mlflow_page, ray_cluster, tls_listener
from ray_apps.local.leftovers import clean_leftovers, end_all, remove_sockets, summary
from ray_apps.local.places import Places
from ray_apps.local.ports import NeededPort, check_free, needed_ports
from ray_apps.local.processes import end, stack_processes
from ray_apps.local.ray_environment import replica_ports, stack_environment
from ray_apps.local.run_state import Phase, RunningProcess, StackRun, read_run
from ray_apps.local.serve_api import shut_down_serve
from ray_apps.local.tls_listener import TlsListener
from ray_apps.settings import Settings

Say = Callable[[str], None]

# `ray start` ends its processes in order, at most 10 s each in the worst case; it takes 2-4 s.
_RAY_GRACE_S = 20.0
# What it was doing is finished by the next one, whenever it ends.
_CONTROLLER_GRACE_S = 2.0


class RunsElsewhere(RaygateError):
    """The stack of this state directory runs, but at other addresses than the settings say."""

    def __init__(self, what: str, running: str, wanted: str) -> None:
        super().__init__(what, running, wanted)
        self.what, self.running, self.wanted = what, running, wanted

    def __str__(self) -> str:
        return (
            f"the stack runs with its {self.what} at {self.running}, but the settings say {self.wanted}; "
            "run `raygate down` first, or set RAYGATE_STATE_DIRECTORY for a second stack"
        )


def running_stack(settings: Settings) -> StackRun | None:
    """The run of this state directory, if it is complete and answers.

    Raises:
        RunsElsewhere: It does, at other addresses.
    """
    run = read_run(Places(settings.state).run_file)
    if run is None or run.phase is not Phase.UP or not run.is_alive():
        return None
    if not ray_cluster.dashboard_answers(run.dashboard_url, timeout_s=10.0):
        return None
    for what in ("api_url", "dashboard_url", "metrics_url"):
        if getattr(run, what) != getattr(settings, what):
            raise RunsElsewhere(what.removesuffix("_url"), getattr(run, what), getattr(settings, what))
    return run


def prepare(settings: Settings, with_mlflow: bool, say: Say) -> tuple[NeededPort, ...]:
    """Make room for a stack: end what an earlier run left, check ports and directories.

    Returns:
        The ports that the stack will take.

    Raises:
        PortsInUse: Some are held by somebody else.
        ProcessesLeft: What an earlier run left cannot be ended.
        UnsafeDirectory: The directory for sockets is not ours alone.
    """
    places = Places(settings.state)
    clean_leftovers(places, say)
    ports = needed_ports(settings, with_mlflow and mlflow_page.has_own_page(settings))
    check_free(ports, replica_ports(settings))
    places.create()
    return ports


def start(
    settings: Settings, ports: tuple[NeededPort, ...], with_mlflow: bool, insecure_local: bool = False
) -> subprocess.Popen[bytes]:
    """Start Ray, and MLflow's page beside it if its store is there; return without waiting for either.

    Args:
        settings: Whose stack.
        ports: As ``prepare`` returned them.
        with_mlflow: Whether MLflow's page is wanted.
        insecure_local: Whether this run asks nobody for a credential.

    Returns:
        Ray's process, for ``ray_cluster.wait_for_ray``.
    """
    places = Places(settings.state)
    ray = ray_cluster.start_ray(settings)
    run = StackRun(
        phase=Phase.STARTING,
        started=time.time(),
        processes={"ray": RunningProcess.of(ray.pid)},
        ports={port.purpose: port.number for port in ports},
        api_url=settings.api_url,
        dashboard_url=settings.dashboard_url,
        metrics_url=settings.metrics_url,
        insecure_local=insecure_local,
    )
    run.write(places.run_file)
    if with_mlflow and mlflow_page.store_exists(settings):
        add_mlflow(settings)
    return ray


def add_mlflow(settings: Settings) -> None:
    """Start MLflow's page beside a running stack, unless it has one or the tracking server brings its own."""
    places = Places(settings.state)
    run = read_run(places.run_file)
    if run is None or "mlflow" in run.processes or not mlflow_page.has_own_page(settings):
        return
    page = RunningProcess.of(mlflow_page.start_mlflow(settings).pid)
    run.model_copy(update={"processes": {**run.processes, "mlflow": page}}).write(places.run_file)


def add_tls(settings: Settings) -> None:
    """Start the TLS listener in front of a running stack.

    Raises:
        TlsNotStarted: A file is missing, certificate and key do not belong together, or the port is taken.
    """
    places = Places(settings.state)
    listener = TlsListener(
        host=settings.https_host,
        port=settings.https_port,
        certificate=settings.tls_certificate or Path(),
        key=settings.tls_key or Path(),
        api_host="127.0.0.1",
        api_port=settings.http_port,
    )
    process = tls_listener.start(listener, places.sockets, stack_environment(settings), places.log("tls"))
    if run := read_run(places.run_file):
        processes = {**run.processes, "tls": RunningProcess.of(process.pid)}
        run.model_copy(update={"processes": processes}).write(places.run_file)


def add_controller(settings: Settings) -> None:
    """Start the controller beside a running stack, unless it runs already."""
    places = Places(settings.state)
    run = read_run(places.run_file)
    if (
        run is None
        or run.phase is Phase.STOPPING
        or ((known := run.processes.get(controller_process.NAME)) and known.is_alive())
    ):
        return
    started = RunningProcess.of(controller_process.start_controller(settings).pid)
    run.model_copy(update={"processes": {**run.processes, controller_process.NAME: started}}).write(
        places.run_file
    )


def record(settings: Settings, phase: Phase, keeper: RunningProcess | None) -> None:
    """Write down how far the stack is and which foreground command keeps it."""
    places = Places(settings.state)
    if run := read_run(places.run_file):
        run.model_copy(update={"phase": phase, "keeper": keeper}).write(places.run_file)


def stop(settings: Settings, say: Say, force: bool = False) -> bool:
    """End the stack: Serve drains first, then Ray, then whatever is left. Does nothing where nothing runs.

    Args:
        settings: Whose stack.
        say: Told each step.
        force: Kill everything at once; requests in flight are lost.

    Returns:
        Whether there was anything to end.

    Raises:
        ProcessesLeft: Some processes cannot be ended; the run file stays.
    """
    places = Places(settings.state)
    run = read_run(places.run_file)
    found = stack_processes(places.identity)
    if run is not None and found and not force:
        run.model_copy(update={"phase": Phase.STOPPING}).write(places.run_file)
        _stop_in_order(run, say)
    left = stack_processes(places.identity)
    if left:
        say(f"Ending {summary(left)}")
        end_all(places.identity, grace_s=0.0 if force else 3.0)
    places.run_file.unlink(missing_ok=True)
    remove_sockets(places)
    return bool(found)


def stop_controller(settings: Settings) -> bool:
    """End the controller; what it was doing is finished by the next one. False if there is none."""
    run = read_run(Places(settings.state).run_file)
    return run is not None and _end_controller(run)


def _end_controller(run: StackRun) -> bool:
    controller = run.processes.get(controller_process.NAME)
    if controller is None or not controller.is_alive():
        return False
    _end_politely(controller, _CONTROLLER_GRACE_S, with_children=False)
    return True


def _stop_in_order(run: StackRun, say: Say) -> None:
    _end_controller(run)  # first: it would take what ends now for a failure of the candidate
    tls = run.processes.get("tls")
    if tls is not None and tls.is_alive():
        tls_listener.stop(tls.pid)
    ray = run.processes.get("ray")
    if ray is not None and ray.is_alive():
        # While Ray is still starting there is no Serve yet, and asking for it would wait.
        if run.phase is not Phase.STARTING or ray_cluster.dashboard_answers(run.dashboard_url, timeout_s=2.0):
            say("Draining Serve")
            try:
                shut_down_serve(run.dashboard_url)
            except RaygateError as error:
                say(f"Serve was not drained: {error}")
        say("Stopping Ray")
    for name, grace_s in (("ray", _RAY_GRACE_S), ("mlflow", 5.0)):
        process = run.processes.get(name)
        if process is not None and process.is_alive():
            # Ray ends its own children in order; MLflow leaves its server behind.
            _end_politely(process, grace_s, with_children=name != "ray")


def _end_politely(process: RunningProcess, grace_s: float, with_children: bool) -> None:
    try:
        parent = psutil.Process(process.pid)
        end([parent, *(parent.children(recursive=True) if with_children else ())], grace_s)
    except psutil.NoSuchProcess:
        return
