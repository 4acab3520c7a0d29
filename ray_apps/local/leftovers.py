"""What an earlier run of this state directory left: ended and removed. Nothing of anybody else is touched."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable

import psutil

from ray_apps.local.places import Places
from ray_apps.local.processes import ProcessesLeft, describe, end, stack_processes

# Ending a process may let another start (a raylet replaces its workers), so one look is not enough.
_SWEEPS = 5


def clean_leftovers(places: Places, say: Callable[[str], None]) -> None:
    """Make room for a new run: end marked processes, remove the run file and old Ray sessions.

    Raises:
        ProcessesLeft: Some cannot be ended.
    """
    if left := stack_processes(places.identity):
        say(f"An earlier run left {summary(left)}: ending them")
        end_all(places.identity, grace_s=3.0)
    places.run_file.unlink(missing_ok=True)
    remove_sockets(places)
    _remove_old_sessions(places)


def end_all(identity: str, grace_s: float) -> None:
    """End every process of a stack, those that appear meanwhile too.

    Raises:
        ProcessesLeft: New ones keep appearing, or some cannot be ended.
    """
    for _ in range(_SWEEPS):
        left = stack_processes(identity)
        if not left:
            return
        end(left, grace_s)
    if left := stack_processes(identity):
        raise ProcessesLeft(tuple(describe(process) for process in left))


def remove_sockets(places: Places) -> None:
    """Remove HAProxy's directory: a configuration or server state of an earlier run would be read again."""
    shutil.rmtree(places.haproxy, ignore_errors=True)


def summary(processes: Iterable[psutil.Process]) -> str:
    """Such as ``3 processes (2 haproxy, 1 raylet)``."""
    names: Counter[str] = Counter()
    for process in processes:
        try:
            names[process.name()] += 1
        except psutil.Error:
            names["ended"] += 1
    total = sum(names.values())
    detail = ", ".join(f"{count} {name}" for name, count in names.most_common())
    return f"{total} process{'es' if total != 1 else ''} ({detail})"


def _remove_old_sessions(places: Places) -> None:
    """Keep the logs of the last session only; each session has some megabytes."""
    sessions = sorted(places.ray_sessions.glob("session_2*"))
    for session in sessions[:-1]:
        shutil.rmtree(session, ignore_errors=True)
