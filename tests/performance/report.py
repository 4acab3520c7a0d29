"""From measurements to ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from open_loop import OpenLoop
from wrk import ClosedLoop

BEGIN_BY_HAND = "<!-- kept by hand: begin -->"
END_BY_HAND = "<!-- kept by hand: end -->"
NOTHING_BY_HAND = "\nNot written yet.\n"
DISTRIBUTIONS = ("ray", "fastapi", "uvicorn", "uvloop", "onnxruntime", "scikit-learn", "lightgbm")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One closed-loop run of one contender.

    Attributes:
        cpu_us: CPU microseconds a request of all the contender's processes.
        memory_mb: Their proportional set size in MB (10^6 bytes), after the run.
    """

    contender: str
    connections: int
    load: ClosedLoop
    cpu_us: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds; errors are of all rounds together."""

    rate: float
    p50: float
    p95: float
    p99: float
    errors: int
    cpu_us: float
    memory_mb: float
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the contenders that ratios are taken of."""

    gateway: str
    compiled_one: str
    compiled_two: str
    pipeline_two: str


Table = dict[tuple[str, int], Figures]


def summarise(measurements: Iterable[Measurement]) -> Table:
    """One line for each contender and number of connections, in the order of their first measurement."""
    groups: dict[tuple[str, int], list[Measurement]] = {}
    for one in measurements:
        groups.setdefault((one.contender, one.connections), []).append(one)
    return {
        key: Figures(
            rate=median(run.load.rate for run in runs),
            p50=median(run.load.p50 for run in runs),
            p95=median(run.load.p95 for run in runs),
            p99=median(run.load.p99 for run in runs),
            errors=sum(run.load.bad_status + run.load.socket_errors for run in runs),
            cpu_us=median(run.cpu_us for run in runs),
            memory_mb=median(run.memory_mb for run in runs),
            rates=tuple(run.load.rate for run in runs),
        )
        for key, runs in groups.items()
    }


def machine_facts(wrk_version: str) -> list[str]:
    """Where the figures come from, one fact an entry."""
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in DISTRIBUTIONS)
    return [
        f"{os.cpu_count()} cores, {_cpu_model()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {versions}, {wrk_version}",
    ]


def figures_table(table: Table) -> str:
    """Every contender at every number of connections."""
    lines = [
        "| contender | connections | requests/s | p50 ms | p95 ms | p99 ms | errors | CPU µs a request | MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {connections} | {row.rate:,.0f} | {row.p50:.2f} | {row.p95:.2f} | {row.p99:.2f} "
        f"| {row.errors} | {row.cpu_us:,.0f} | {row.memory_mb:,.0f} |"
        for (name, connections), row in sorted(table.items(), key=lambda item: item[0][1])
    ]
    return "\n".join(lines)


def spread(table: Table) -> str:
    """The noise: the largest difference between rounds of the same thing."""
    key, widest = max(table.items(), key=lambda item: max(item[1].rates) / min(item[1].rates))
    low, high = min(widest.rates), max(widest.rates)
    return (
        f"The rounds differ most for {key[0]} at {key[1]} connections: {low:,.0f} to {high:,.0f} requests/s "
        f"({high / low - 1:.0%})."
    )


def ratios_table(table: Table, roles: Roles, connections: Sequence[int]) -> str:
    """The gateway's requests a second over those of each yardstick."""
    yardsticks = (roles.compiled_one, roles.compiled_two, roles.pipeline_two)
    lines = [
        f"| {roles.gateway}, over | " + " | ".join(f"{count} connections" for count in connections) + " |",
        "|---|" + "--:|" * len(connections),
    ]
    for yardstick in yardsticks:
        ratios = [_ratio(table, roles.gateway, yardstick, count) for count in connections]
        lines.append(f"| {yardstick} | " + " | ".join(f"{ratio:.2f}x" for ratio in ratios) + " |")
    return "\n".join(lines)


def open_loop_table(runs: Sequence[tuple[str, OpenLoop]]) -> str:
    """Latency as a user sees it, at a constant rate."""
    lines = [
        "| load | wanted/s | achieved/s | p50 ms | p95 ms | p99 ms | worst ms | errors | latest send ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {run.wanted_rate:,.0f} | {run.achieved_rate:,.0f} | {run.p50:.2f} | {run.p95:.2f} "
        f"| {run.p99:.2f} | {run.worst:.1f} | {run.errors} | {run.latest_send:.1f} |"
        for name, run in runs
    ]
    return "\n".join(lines)


def expectations(table: Table, roles: Roles, connections: int) -> list[str]:
    """What was promised for this load, and whether it is so."""
    own = table[roles.gateway, connections]
    of_one = _ratio(table, roles.gateway, roles.compiled_one, connections)
    of_pipeline = _ratio(table, roles.gateway, roles.pipeline_two, connections)
    return [
        _told(f"at least 0.5x of {roles.compiled_one}", of_one >= 0.5, f"{of_one:.2f}x"),
        _told(f"at least 4x of {roles.pipeline_two}", of_pipeline >= 4, f"{of_pipeline:.2f}x"),
        _told("p99 under 60 ms", own.p99 < 60, f"{own.p99:.1f} ms"),
        _told("no errors", own.errors == 0, str(own.errors)),
    ]


def with_hand_written(text: str, previous: str) -> str:
    """Put what stands between the markers of the previous document into the new one."""
    _, begin, rest = previous.partition(BEGIN_BY_HAND)
    kept, end, _ = rest.partition(END_BY_HAND)
    section = kept if begin and end else NOTHING_BY_HAND
    return text.replace(f"{BEGIN_BY_HAND}{END_BY_HAND}", f"{BEGIN_BY_HAND}{section}{END_BY_HAND}")


def write(path: Path, text: str) -> None:
    """Replace the document, all at once, but for its hand-written part."""
    previous = path.read_text(encoding="utf-8") if path.exists() else ""
    new = path.with_suffix(".md.new")
    new.write_text(with_hand_written(text, previous), encoding="utf-8")
    new.replace(path)


def _ratio(table: Table, of: str, over: str, connections: int) -> float:
    return table[of, connections].rate / table[over, connections].rate


def _told(expected: str, met: bool, seen: str) -> str:
    return f"{'met' if met else 'NOT MET'}: {expected} (seen: {seen})"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
