"""From the measurements of ``make bench`` to its tables."""

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

DISTRIBUTIONS = ("ray", "fastapi", "uvicorn", "uvloop", "onnxruntime", "scikit-learn", "lightgbm")


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table.

    Attributes:
        contender: Its name.
        rows: Of each request.
        connections: Requests under way at a time.
    """

    contender: str
    rows: int
    connections: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One closed-loop run.

    Attributes:
        case: What was measured.
        load: What ``wrk`` saw.
        cpu_us: CPU microseconds a request of all the contender's processes.
        memory_mb: Their proportional set size in MB (10^6 bytes), after the run.
    """

    case: Case
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
    shadowed: str
    compiled: str
    pipeline: str


Table = dict[Case, Figures]


def summarise(measurements: Iterable[Measurement]) -> Table:
    """One line for each case, in the order of their first measurement."""
    groups: dict[Case, list[Measurement]] = {}
    for one in measurements:
        groups.setdefault(one.case, []).append(one)
    return {
        case: Figures(
            rate=median(run.load.rate for run in runs),
            p50=median(run.load.p50 for run in runs),
            p95=median(run.load.p95 for run in runs),
            p99=median(run.load.p99 for run in runs),
            errors=sum(run.load.bad_status + run.load.socket_errors for run in runs),
            cpu_us=median(run.cpu_us for run in runs),
            memory_mb=median(run.memory_mb for run in runs),
            rates=tuple(run.load.rate for run in runs),
        )
        for case, runs in groups.items()
    }


def machine_facts(*programs: str) -> list[str]:
    """Where the figures come from, one fact an entry.

    Args:
        programs: Others that took part, with their versions.
    """
    memory = psutil.virtual_memory().total / 2**30
    versions = [f"{name} {version(name)}" for name in DISTRIBUTIONS]
    return [
        f"{os.cpu_count()} cores, {_cpu_model()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        ", ".join((f"Python {platform.python_version()}", *versions, *programs)),
    ]


def figures_table(table: Table, rows: int) -> str:
    """Every contender at every number of connections, for requests of so many rows."""
    lines = [
        "| contender | connections | requests/s | p50 ms | p95 ms | p99 ms | errors | CPU µs a request | MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    cases = sorted((case for case in table if case.rows == rows), key=lambda case: case.connections)
    lines += [_line(case, table[case]) for case in cases]
    return "\n".join(lines)


def spread(table: Table) -> str:
    """The noise: the largest difference between rounds of the same thing."""
    case, widest = max(table.items(), key=lambda item: max(item[1].rates) / max(min(item[1].rates), 1e-9))
    low, high = min(widest.rates), max(widest.rates)
    return (
        f"The rounds differ most for {case.contender} with {case.rows} row(s) at {case.connections} connections: "
        f"{low:,.0f} to {high:,.0f} requests/s."
    )


def ratios_table(table: Table, roles: Roles) -> str:
    """Requests a second of the gateway over those of each yardstick, and with a shadow over without."""
    pairs = (
        (roles.gateway, roles.compiled),
        (roles.gateway, roles.pipeline),
        (roles.shadowed, roles.gateway),
    )
    shapes = sorted({(case.rows, case.connections) for case in table})
    lines = [
        "| rows | connections | " + " | ".join(f"{of}, over {over}" for of, over in pairs) + " |",
        "|--:|--:|" + "--:|" * len(pairs),
    ]
    for rows, connections in shapes:
        cells = [
            _shown_ratio(table, Case(of, rows, connections), Case(over, rows, connections)) for of, over in pairs
        ]
        lines.append(f"| {rows} | {connections} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def open_loop_table(runs: Sequence[tuple[str, OpenLoop]]) -> str:
    """Latency as a user sees it, at a constant rate."""
    lines = [
        "| load | wanted/s | achieved/s | p50 ms | p95 ms | p99 ms | worst ms | refused | errors "
        "| latest send ms |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {name} | {run.wanted_rate:,.0f} | {run.achieved_rate:,.0f} | {run.p50:.2f} | {run.p95:.2f} "
        f"| {run.p99:.2f} | {run.worst:.1f} | {run.refused} | {run.errors} | {run.latest_send:.1f} |"
        for name, run in runs
    ]
    return "\n".join(lines)


def expectations(table: Table, roles: Roles, full: int) -> list[str]:
    """What was promised for requests of one row, and whether it is so.

    Args:
        table: Everything that was measured.
        roles: Whose figures are compared.
        full: Connections of the full load.
    """
    own, alone = table[Case(roles.gateway, 1, full)], table[Case(roles.gateway, 1, 1)]
    of_compiled = own.rate / table[Case(roles.compiled, 1, full)].rate
    of_pipeline = own.rate / table[Case(roles.pipeline, 1, full)].rate
    errors = sum(figures.errors for case, figures in table.items() if case.contender == roles.gateway)
    return [
        told(
            f"at least 0.6x of {roles.compiled} at {full} connections", of_compiled >= 0.6, f"{of_compiled:.2f}x"
        ),
        told(f"at least 6x of {roles.pipeline} at {full} connections", of_pipeline >= 6, f"{of_pipeline:.2f}x"),
        told(f"p99 under 60 ms at {full} connections", own.p99 < 60, f"{own.p99:.1f} ms"),
        told("p50 under 2.5 ms at one connection", alone.p50 < 2.5, f"{alone.p50:.2f} ms"),
        told("no errors of the gateway at any load", errors == 0, str(errors)),
    ]


def told(expected: str, met: bool, seen: str) -> str:
    """A promise and what became of it."""
    return f"{'met' if met else 'NOT MET'}: {expected} (seen: {seen})"


def bullets(lines: Iterable[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def _line(case: Case, row: Figures) -> str:
    return (
        f"| {case.contender} | {case.connections} | {row.rate:,.0f} | {row.p50:.2f} | {row.p95:.2f} "
        f"| {row.p99:.2f} | {row.errors} | {row.cpu_us:,.0f} | {row.memory_mb:,.0f} |"
    )


def _shown_ratio(table: Table, of: Case, over: Case) -> str:
    if of not in table or over not in table or not table[over].rate:
        return ""
    return f"{table[of].rate / table[over].rate:.2f}x"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
