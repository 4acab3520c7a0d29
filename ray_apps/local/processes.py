"""Processes of the stack: started in sessions of their own, found by their mark, ended politely first."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from deployments.contracts.errors import RaygateError
from ray_apps.local.ray_environment import STACK_VARIABLE


class ProcessesLeft(RaygateError):
    """Processes of the stack survived SIGKILL."""

    def __init__(self, descriptions: tuple[str, ...]) -> None:
        super().__init__(descriptions)
        self.descriptions = descriptions

    def __str__(self) -> str:
        return f"these processes cannot be ended: {'; '.join(self.descriptions)}"


def start_child(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process that outlives the terminal; what it says goes to ``log``, which starts empty.

    It has a session of its own: Ctrl-C reaches only us, and we end the stack in order.
    """
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stack_processes(identity: str) -> list[psutil.Process]:
    """Every live process that carries the mark of a stack, except ourselves and those that started us."""
    ourselves = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in ourselves and stack_of(process) == identity and runs(process)
    ]


def stack_of(process: psutil.Process) -> str | None:
    """Identity of the stack that a process belongs to; None if it belongs to none or to another user."""
    try:
        return process.environ().get(STACK_VARIABLE)
    except (psutil.Error, OSError):
        return None


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """SIGTERM, then SIGKILL for those that are left after ``grace_s`` seconds (0: SIGKILL at once).

    Raises:
        ProcessesLeft: Some survive for 10 s more.
    """
    left = list(processes)
    if grace_s > 0:
        left = _signal_and_wait(left, signal.SIGTERM, grace_s)
    if left := _signal_and_wait(left, signal.SIGKILL, 10):
        raise ProcessesLeft(tuple(describe(process) for process in left))


def describe(process: psutil.Process, width: int = 90) -> str:
    """Name, number and the beginning of the command line, as far as they may be seen."""
    try:
        name = process.name()
    except psutil.Error:
        return f"pid {process.pid}"
    try:
        command = " ".join(process.cmdline()).strip()
    except psutil.Error:
        command = ""
    shown = command if len(command) <= width else f"{command[: width - 1]}…"
    return f"{name} (pid {process.pid}{f', {shown}' if shown else ''})"


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error's text."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _signal_and_wait(processes: list[psutil.Process], number: int, timeout_s: float) -> list[psutil.Process]:
    """Those that still run afterwards.

    Not ``psutil.wait_procs``: it waits for zombies too, and in a container nobody may ever collect them.
    """
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if runs(process)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def runs(process: psutil.Process) -> bool:
    """Whether a process is there, and more than a line in the table of processes."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
