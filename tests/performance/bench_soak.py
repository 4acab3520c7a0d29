"""``make bench-soak``: whether memory grows while the stack answers at half of its capacity."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import contenders
import estimates
import open_loop
import page
import process_tree
import raygate_stack
import report
import wrk
from console import say
from contenders import Contender
from document import conditions
from open_loop import OpenLoop

CAPACITY_CONNECTIONS, CAPACITY_SECONDS = 64, 10
SHARE = 0.5
SAMPLE_SECONDS = 5.0
SETTLING_SECONDS = 60.0
"""Left out of the slope: caches and buffers fill."""
MIB = 2**20
WHOLE_STACK = "all together"


@dataclass(frozen=True, slots=True)
class Sample:
    """A moment of the soak.

    Attributes:
        seconds: Since its beginning.
        resident: Bytes of each process, by its label.
    """

    seconds: float
    resident: dict[str, int]


@dataclass(frozen=True, slots=True)
class Growth:
    """One process.

    Attributes:
        process: Its label.
        first_mib: Resident set at the first sample that counts.
        last_mib: At the last.
        slope: MiB an hour.
    """

    process: str
    first_mib: float
    last_mib: float
    slope: estimates.Estimate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="of load (default 10)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    arguments = parser.parse_args()
    shortest = (SETTLING_SECONDS + 5 * SAMPLE_SECONDS) / 60
    if arguments.minutes < shortest:
        parser.error(f"--minutes is {arguments.minutes:g}; a slope takes at least {shortest:.1f}")
    console.run(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> None:
    wrk_version = wrk.version()
    busy = console.busy_percent()
    with raygate_stack.running() as stack:
        gateway = stack.contender("Raygate")
        contenders.check_answers(gateway, 1)
        capacity = wrk.run(gateway.row, contenders.bodies(1), CAPACITY_CONNECTIONS, CAPACITY_SECONDS).rate
        say(f"  capacity: {capacity:,.0f}/s; now {SHARE:.0%} of it for {arguments.minutes:g} minutes")
        run, samples = soak(gateway, SHARE * capacity, arguments.minutes * 60)
    growths = growth([sample for sample in samples if sample.seconds >= SETTLING_SECONDS])
    measured = conditions(busy, report.machine_facts(wrk_version), datetime.now(UTC))
    text = document(growths, run, arguments.minutes, measured)
    page.write(arguments.output, "make bench-soak", text)
    print(text)
    say(f"Written to {arguments.output}")


def soak(gateway: Contender, rate: float, seconds: float) -> tuple[OpenLoop, list[Sample]]:
    """Load a contender at a constant rate and look at its processes meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        load = thread.submit(open_loop.run, gateway.row, contenders.bodies(1), rate, seconds)
        samples = _samples_until(load, gateway)
        return load.result(), samples


def _samples_until(load: Future[OpenLoop], gateway: Contender) -> list[Sample]:
    began, samples = time.monotonic(), []
    while not load.done():
        samples.append(Sample(time.monotonic() - began, process_tree.resident_bytes(gateway.processes())))
        time.sleep(SAMPLE_SECONDS)
    return samples


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Slopes of the processes that were there all the time, the steepest first, and of their sum.

    Raises:
        ValueError: Fewer than four samples.
    """
    staying = set.intersection(*(set(sample.resident) for sample in samples)) if samples else set()
    hours = [sample.seconds / 3600 for sample in samples]
    each = [_growth(process, hours, [sample.resident[process] for sample in samples]) for process in staying]
    each.sort(key=lambda one: one.slope.value, reverse=True)
    together = [sum(sample.resident[process] for process in staying) for sample in samples]
    return [_growth(WHOLE_STACK, hours, together), *each]


def _growth(process: str, hours: Sequence[float], resident: Sequence[int]) -> Growth:
    mib = [size / MIB for size in resident]
    return Growth(process, mib[0], mib[-1], estimates.slope(hours, mib))


def document(growths: Sequence[Growth], run: OpenLoop, minutes: float, measured: str) -> str:
    """The part of the page."""
    return f"""
`make bench-soak`: requests of one row leave at {run.wanted_rate:,.0f}/s, {SHARE:.0%} of what
{CAPACITY_CONNECTIONS} connections reached just before, for {minutes:g} minutes. Every {SAMPLE_SECONDS:g} s the
resident set of each process of the stack is read; the slope is by least squares after the first
{SETTLING_SECONDS:g} s, with a 95 % interval that takes into account that samples resemble their neighbours
(`estimates.slope`).

{measured}

{run.sent:,} requests, {run.refused} refused, {run.errors} errors; p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms.

{table(growths)}
"""


def table(growths: Sequence[Growth]) -> str:
    """One line a process."""
    lines = ["| process | first MiB | last MiB | slope MiB/hour | |", "|---|--:|--:|--:|---|"]
    for one in growths:
        verdict = "grows" if one.slope.low > 0 else "shrinks" if one.slope.high < 0 else "flat"
        slope = f"{one.slope.value:+.1f} [{one.slope.low:+.1f}, {one.slope.high:+.1f}]"
        lines.append(f"| {one.process} | {one.first_mib:,.1f} | {one.last_mib:,.1f} | {slope} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
