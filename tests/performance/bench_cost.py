"""``make bench-cost``: what authentication and the prediction log cost, in CPU time a request.

A rate of requests says little about a few per cent on a shared machine. So the offered rate is constant, the CPU
time of the whole stack is divided by the requests, and runs with and without a feature alternate in pairs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import contenders
import endpoint_files
import estimates
import open_loop
import page
import raygate_stack
import report
from console import say
from contenders import Contender
from document import conditions
from process_tree import CpuTimes
from raygate_stack import Stack

from deployments.access.policy import Mode
from deployments.contracts.errors import RaygateError

IDLE_SECONDS = 10
AUTHENTICATION, LOG = "authentication", "prediction log"
GOALS = {AUTHENTICATION: 1.05, LOG: 1.15}
"""Most CPU time a request with the feature over that without."""

Pair = tuple[float, float]
"""CPU µs a request without a feature and with it."""


class RequestsFailed(RaygateError):
    """Requests of a run were not answered, so its CPU time a request is of something else."""

    def __init__(self, failed: int, sent: int) -> None:
        super().__init__(failed, sent)
        self.failed, self.sent = failed, sent

    def __str__(self) -> str:
        return f"{self.failed} of {self.sent} requests were not answered well; offer less with --rate"


@dataclass(frozen=True, slots=True)
class Offered:
    """The load of every run.

    Attributes:
        rate: Requests of one row a second.
        seconds: Of the measured part.
        warm_up: Seconds of load before it.
        pairs: Of runs, for each feature.
    """

    rate: float
    seconds: float
    warm_up: float
    pairs: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=500, help="requests a second (default 500)")
    parser.add_argument("--seconds", type=float, default=8, help="of each measured run (default 8)")
    parser.add_argument("--warm-up", type=float, default=3, help="seconds of load before each (default 3)")
    parser.add_argument("--pairs", type=int, default=10, help="of runs, for each feature (default 10)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    arguments = parser.parse_args()
    if arguments.pairs < 2:
        parser.error(f"--pairs is {arguments.pairs}; an interval takes at least 2")
    console.run(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> None:
    offered = Offered(arguments.rate, arguments.seconds, arguments.warm_up, arguments.pairs)
    busy = console.busy_percent()
    with raygate_stack.running() as stack:
        gateway = stack.contender("Raygate")
        contenders.check_answers(gateway, 1)
        idle = _idle_cores(gateway)
        switches = _switches(stack)
        pairs = {feature: _pairs(feature, gateway, switch, offered) for feature, switch in switches.items()}
    text = document(pairs, offered, idle, conditions(busy, report.machine_facts(), datetime.now(UTC)))
    page.write(arguments.output, "make bench-cost", text)
    print(text)
    say(f"Written to {arguments.output}")


def _switches(stack: Stack) -> Mapping[str, Callable[[bool], None]]:
    """How each feature is switched on or off, the other staying on."""
    logged = endpoint_files.endpoint(contenders.STATE)
    not_logged = endpoint_files.endpoint(contenders.STATE, log_share=0.0)
    return {
        LOG: lambda on: stack.apply(logged if on else not_logged),
        AUTHENTICATION: lambda on: stack.apply(logged, Mode.KEYS if on else Mode.INSECURE_LOCAL),
    }


def _pairs(feature: str, gateway: Contender, switch: Callable[[bool], None], offered: Offered) -> list[Pair]:
    """Measure without and with a feature; every other pair the other way round, so that a drift cancels."""
    pairs = []
    for number in range(offered.pairs):
        cost = {}
        for on in (False, True) if number % 2 == 0 else (True, False):
            switch(on)
            cost[on] = _cpu_us(gateway, offered)
        pairs.append((cost[False], cost[True]))
        say(f"  {feature}, pair {number + 1}: {cost[False]:,.0f} µs without, {cost[True]:,.0f} µs with")
    switch(True)
    return pairs


def _cpu_us(gateway: Contender, offered: Offered) -> float:
    """CPU µs a request of all the stack's processes, at the offered rate.

    Raises:
        RequestsFailed: Some were not answered well.
    """
    bodies = contenders.bodies(1)
    open_loop.run(gateway.row, bodies, offered.rate, offered.warm_up)
    before = CpuTimes.of(gateway.processes())
    run = open_loop.run(gateway.row, bodies, offered.rate, offered.seconds)
    spent = CpuTimes.of(gateway.processes()).since(before)
    if run.errors or run.refused:
        raise RequestsFailed(run.errors + run.refused, run.sent)
    return spent / run.sent * 1e6


def _idle_cores(gateway: Contender) -> float:
    """Cores that the stack takes while nobody asks anything."""
    before = CpuTimes.of(gateway.processes())
    time.sleep(IDLE_SECONDS)
    return CpuTimes.of(gateway.processes()).since(before) / IDLE_SECONDS


def document(pairs: Mapping[str, Sequence[Pair]], offered: Offered, idle: float, measured: str) -> str:
    """The part of the page.

    Args:
        pairs: By feature.
        offered: The load.
        idle: Cores that the idle stack takes.
        measured: When and on what.
    """
    idle_us = idle / offered.rate * 1e6
    return f"""
`make bench-cost` switches one feature at a time off and on, {offered.pairs} pairs of runs each, every other pair
the other way round. Requests of one row leave at {offered.rate:,.0f}/s for {offered.seconds:g} s after
{offered.warm_up:g} s of warm-up; the CPU time of all processes of the stack over the requests is the price. In
brackets: Student's 95 % interval over the pairs, for ratios of their logarithm. The idle stack alone takes
{idle:.2f} cores, {idle_us:,.0f} µs a request at this rate; the last column leaves them out.

{measured}

{table(pairs, idle_us)}

{report.bullets(expectations(pairs))}
"""


def table(pairs: Mapping[str, Sequence[Pair]], idle_us: float) -> str:
    """The price of each feature."""
    lines = [
        "| feature | CPU µs a request without | with | price µs | ratio | ratio above idle |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for feature, measured in pairs.items():
        without, with_it = (sum(side) / len(side) for side in zip(*measured, strict=True))
        price, ratio = estimates.difference(measured), estimates.ratio(measured)
        above = estimates.ratio([(off - idle_us, on - idle_us) for off, on in measured])
        lines.append(
            f"| {feature} | {without:,.0f} | {with_it:,.0f} "
            f"| {price.value:,.0f} [{price.low:,.0f}, {price.high:,.0f}] | {_shown(ratio)} | {_shown(above)} |"
        )
    return "\n".join(lines)


def expectations(pairs: Mapping[str, Sequence[Pair]]) -> list[str]:
    """What was promised, and whether it is so: met if the interval's upper end keeps it."""
    lines = []
    for feature, measured in pairs.items():
        ratio, goal = estimates.ratio(measured), GOALS[feature]
        lines.append(report.told(f"{feature} costs at most {goal - 1:.0%}", ratio.high <= goal, _shown(ratio)))
    return lines


def _shown(ratio: estimates.Estimate) -> str:
    return f"{ratio.value - 1:+.1%} [{ratio.low - 1:+.1%}, {ratio.high - 1:+.1%}]"


if __name__ == "__main__":
    main()
