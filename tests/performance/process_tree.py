"""What a contender takes from the machine: CPU time and memory of all its processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """A moment.

    Attributes:
        seconds: User and system time since its start, of each process by number and start time.
    """

    seconds: dict[tuple[int, float], float]

    @classmethod
    def of(cls, processes: Iterable[psutil.Process]) -> CpuTimes:
        """Look at processes; one that ends meanwhile is left out."""
        seconds = {}
        for process in processes:
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                seconds[process.pid, process.create_time()] = times.user + times.system
        return cls(seconds)

    def since(self, before: CpuTimes) -> float:
        """CPU seconds spent between two moments; a process that ended in between is not in it."""
        return sum(spent - before.seconds.get(process, 0.0) for process, spent in self.seconds.items())


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Proportional set size of all: a page that several processes share counts once."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


def resident_bytes(processes: Iterable[psutil.Process]) -> dict[str, int]:
    """Resident set size of each, by what it is and its number."""
    found = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found[f"{label(process.cmdline())} ({process.pid})"] = process.memory_info().rss
    return found


def label(command: list[str]) -> str:
    """What a process is, without the paths of this machine: ``raylet``, ``python dashboard.py``, ``ray::...``.

    Args:
        command: Its command line; Ray writes what a worker does into the first word.
    """
    words = " ".join(command).split()
    if not words:
        return "unknown"
    if words[0].startswith("ray::"):
        return words[0]
    program = Path(words[0]).name
    if not program.startswith("python"):
        return program
    script = next((Path(word).name for word in words[1:] if not word.startswith("-")), "")
    return f"python {script}".strip()


def family(pid: int) -> list[psutil.Process]:
    """A process and everything below it."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]
