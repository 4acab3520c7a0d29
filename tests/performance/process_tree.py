"""What a contender takes from the machine: CPU time and memory of all its processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """A moment.

    Attributes:
        cpu_seconds: User and system time since its start, of each process by number and start time.
        memory_bytes: Proportional set size of all: a page that several processes share counts once.
    """

    cpu_seconds: dict[tuple[int, float], float]
    memory_bytes: int

    def cpu_since(self, before: Usage) -> float:
        """CPU seconds spent between two moments; a process that ended in between is not in it."""
        return sum(spent - before.cpu_seconds.get(process, 0.0) for process, spent in self.cpu_seconds.items())


def usage(processes: Iterable[psutil.Process]) -> Usage:
    """Look at processes; one that ends meanwhile is left out."""
    cpu_seconds, memory = {}, 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            memory += process.memory_full_info().pss
            cpu_seconds[process.pid, process.create_time()] = times.user + times.system
    return Usage(cpu_seconds, memory)


def family(pid: int) -> list[psutil.Process]:
    """A process and everything below it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
