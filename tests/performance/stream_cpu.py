"""Who takes the CPU time while a stream is measured: on few cores, producer, brokers and consumer count too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

import process_tree
import psutil
from process_tree import CpuTimes

_ROLES = (
    ("ray::ServeReplica:raygate-gateway", "gateway"),
    ("ray::ServeReplica:raygate-monitor", "monitor"),
    ("ray::ServeReplica", "pools"),
    ("ray::StreamActor", "stream worker"),
    ("python kafka_brokers.py", "brokers"),
    ("python bench_stream.py", "producer and consumer"),
)
THE_REST = "the rest of the stack"


def role_of(label: str) -> str:
    """What a process does here.

    Args:
        label: See ``process_tree.label``.

    >>> role_of("ray::ServeReplica:credit_risk_v1.0.0:VersionPool"), role_of("raylet")
    ('pools', 'the rest of the stack')
    """
    return next((role for beginning, role in _ROLES if label.startswith(beginning)), THE_REST)


def times(stack: Iterable[psutil.Process]) -> dict[str, CpuTimes]:
    """What each role has spent so far.

    Args:
        stack: Processes of the stack; our own and those that we started are added.
    """
    roles: dict[str, list[psutil.Process]] = {}
    for process in {*stack, *process_tree.family(os.getpid())}:
        try:
            roles.setdefault(role_of(process_tree.label(process.cmdline())), []).append(process)
        except psutil.Error:
            continue
    return {role: CpuTimes.of(processes) for role, processes in roles.items()}


def cores(before: Mapping[str, CpuTimes], after: Mapping[str, CpuTimes], seconds: float) -> dict[str, float]:
    """Cores that each role kept busy between two moments, the busiest first."""
    nothing = CpuTimes({})
    used = {role: spent.since(before.get(role, nothing)) / seconds for role, spent in after.items()}
    return dict(sorted(used.items(), key=lambda one: -one[1]))
