"""``make bench``: Raygate beside plain FastAPI servers, loaded in turn in one run.

Every round starts each kind of contender, measures it alone and stops it: an idle Ray takes a part of a core,
which would be charged to the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import contenders
import endpoint_files
import open_loop
import page
import plain_server
import process_tree
import raygate_stack
import report
import wrk
from console import say
from contenders import Contender
from document import Method, document
from process_tree import CpuTimes
from report import Case

ROWS = (1, 32)
CONNECTIONS = (1, 16, 64, 256)
FULL = 64
SHARES = (0.5, 0.8)

GATEWAY, SHADOWED = "Raygate", "Raygate with a shadow"
COMPILED, PIPELINE = "(a) FastAPI, compiled package, one worker", "(b) FastAPI, scikit-learn pipeline, two workers"
ROLES = report.Roles(GATEWAY, SHADOWED, COMPILED, PIPELINE)


@dataclass
class Bench:
    """What was measured so far.

    Attributes:
        seconds: Of each measured run.
        warm_up: Seconds of load before it.
        rows: Of requests, each number in turn.
        connections: Each number in turn.
    """

    seconds: int
    warm_up: int
    rows: Sequence[int] = ROWS
    connections: Sequence[int] = CONNECTIONS
    measurements: list[report.Measurement] = field(default_factory=list)
    open_loops: list[tuple[str, open_loop.OpenLoop]] = field(default_factory=list)

    def measure_all(self, *servers: Contender) -> None:
        """Load each server with everything; at every load one directly after the other."""
        for rows in self.rows:
            for server in servers:
                contenders.check_answers(server, rows)
            for connections in self.connections:
                for server in servers:
                    self._measure(server, rows, connections)

    def measure_open_loop(self, contender: Contender) -> None:
        """Constant rates, as shares of what the closed loop reached just now."""
        case = Case(contender.name, 1, FULL)
        capacity = next(run.load.rate for run in reversed(self.measurements) if run.case == case)
        for share in SHARES:
            run = open_loop.run(contender.row, contenders.bodies(1), share * capacity, self.seconds)
            self.open_loops.append((f"{share:.0%} of {capacity:,.0f}/s", run))
            say(f"  open loop at {run.wanted_rate:,.0f}/s: p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms")

    def _measure(self, contender: Contender, rows: int, connections: int) -> None:
        target, bodies = contender.target(rows), contenders.bodies(rows)
        if self.warm_up:
            wrk.run(target, bodies, connections, self.warm_up)
        before = CpuTimes.of(contender.processes())
        load = wrk.run(target, bodies, connections, self.seconds)
        processes = contender.processes()
        cpu_us = CpuTimes.of(processes).since(before) / max(load.requests, 1) * 1e6
        memory_mb = process_tree.memory_bytes(processes) / 1e6
        case = Case(contender.name, rows, connections)
        self.measurements.append(report.Measurement(case, load, cpu_us, memory_mb))
        say(
            f"  {contender.name}, {rows} row(s), {connections} connections: {load.rate:,.0f}/s, "
            f"p99 {load.p99:.1f} ms, {cpu_us:,.0f} CPU µs a request, {load.bad_status + load.socket_errors} errors"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=6, help="of each measured run (default 6)")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds of load before each (default 1)")
    parser.add_argument("--rounds", type=int, default=2, help="medians are taken over them (default 2)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    console.run(partial(_run, parser.parse_args()))


def _run(arguments: argparse.Namespace) -> None:
    wrk_version = wrk.version()
    bench = Bench(arguments.seconds, arguments.warm_up)
    busy = console.busy_percent()
    for number in range(1, arguments.rounds + 1):
        say(f"Round {number} of {arguments.rounds}")
        _round(bench, last=number == arguments.rounds)
    facts = report.machine_facts(wrk_version)
    method = Method(arguments.seconds, arguments.warm_up, arguments.rounds, busy, facts)
    text = document(report.summarise(bench.measurements), bench.open_loops, ROLES, FULL, method, datetime.now(UTC))
    page.write(arguments.output, "make bench", text)
    print(text)
    say(f"Written to {arguments.output}")


def _round(bench: Bench, last: bool) -> None:
    with raygate_stack.running() as stack:
        gateway = stack.contender(GATEWAY)
        say(f"  {GATEWAY} is up")
        bench.measure_all(gateway)
        if last:
            bench.measure_open_loop(gateway)
        stack.apply(endpoint_files.endpoint(contenders.STATE, shadow=True))
        bench.measure_all(stack.contender(SHADOWED))
    with ExitStack() as servers:
        plain = (
            servers.enter_context(contenders.plain(COMPILED, plain_server.COMPILED, workers=1)),
            servers.enter_context(contenders.plain(PIPELINE, plain_server.PIPELINE, workers=2)),
        )
        bench.measure_all(*plain)


if __name__ == "__main__":
    main()
