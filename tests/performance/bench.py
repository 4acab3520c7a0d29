"""``make bench``: Raygate beside plain FastAPI servers, loaded in turn in one run.

Every round starts each kind of contender, measures it alone and stops it: an idle Ray takes a part of a core,
which would be charged to the others.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import contenders
import open_loop
import plain_server
import process_tree
import psutil
import report
import wrk
from contenders import Contender
from document import Method, document

from deployments.contracts.errors import RaygateError

CONNECTIONS = (1, 16, 64)
FULL = 64
ROWS = 50
SHARES = (0.5, 0.8)
OUTPUT = contenders.REPOSITORY / "docs" / "benchmarks.md"
BODIES = contenders.STATE / "bodies.jsonl"

GATEWAY = "Raygate, one gateway"
GATEWAYS = "Raygate, two gateways, two replicas a pool"
PLAIN = (
    ("(a) FastAPI, compiled package, one worker", plain_server.COMPILED, 1),
    ("(a) FastAPI, compiled package, two workers", plain_server.COMPILED, 2),
    ("(b) FastAPI, scikit-learn pipeline, one worker", plain_server.PIPELINE, 1),
    ("(b) FastAPI, scikit-learn pipeline, two workers", plain_server.PIPELINE, 2),
)
ROLES = report.Roles(GATEWAY, PLAIN[0][0], PLAIN[1][0], PLAIN[3][0])


@dataclass
class Bench:
    """What was measured so far.

    Attributes:
        seconds: Of each measured run.
        warm_up: Seconds of load before it.
    """

    seconds: int
    warm_up: int
    measurements: list[report.Measurement] = field(default_factory=list)
    open_loops: list[tuple[str, open_loop.OpenLoop]] = field(default_factory=list)

    def measure(self, contender: Contender, connections: int) -> None:
        """Load one contender; the others do not run or have nothing to do."""
        if self.warm_up:
            wrk.run(contender.url, BODIES, connections, self.warm_up)
        before = process_tree.usage(contender.processes())
        load = wrk.run(contender.url, BODIES, connections, self.seconds)
        after = process_tree.usage(contender.processes())
        cpu_us = after.cpu_since(before) / max(load.requests, 1) * 1e6
        measured = report.Measurement(contender.name, connections, load, cpu_us, after.memory_bytes / 1e6)
        self.measurements.append(measured)
        say(
            f"  {contender.name}, {connections} connections: {load.rate:,.0f}/s, p99 {load.p99:.1f} ms, "
            f"{cpu_us:,.0f} CPU µs a request, {load.bad_status + load.socket_errors} errors"
        )

    def measure_open_loop(self, contender: Contender) -> None:
        """Constant rates, as shares of what the closed loop reached just now."""
        capacity = next(
            run.load.rate
            for run in reversed(self.measurements)
            if (run.contender, run.connections) == (contender.name, FULL)
        )
        for share in SHARES:
            run = open_loop.run(contender.url, BODIES, share * capacity, self.seconds)
            self.open_loops.append((f"{share:.0%} of {capacity:,.0f}/s", run))
            say(f"  open loop at {run.wanted_rate:,.0f}/s: p50 {run.p50:.1f} ms, p99 {run.p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of each measured run (default 10)")
    parser.add_argument("--warm-up", type=int, default=2, help="seconds of load before each (default 2)")
    parser.add_argument("--rounds", type=int, default=2, help="medians are taken over them (default 2)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="default docs/benchmarks.md")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended from outside: stop what was started, too
    try:
        _run(arguments)
    except RaygateError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; everything that was started is stopped, nothing was written")


def _run(arguments: argparse.Namespace) -> None:
    wrk_version = wrk.version()
    bench = Bench(arguments.seconds, arguments.warm_up)
    busy = psutil.cpu_percent(interval=2)
    say(f"The machine was {busy:.0f} % busy before the run.")
    for number in range(1, arguments.rounds + 1):
        say(f"Round {number} of {arguments.rounds}")
        _round(bench, last=number == arguments.rounds)
    facts = report.machine_facts(wrk_version)
    method = Method(arguments.seconds, arguments.warm_up, arguments.rounds, busy, facts)
    text = document(report.summarise(bench.measurements), bench.open_loops, ROLES, CONNECTIONS, method)
    report.write(arguments.output, text)
    print(text.partition("## Where the time goes")[0])
    say(f"Written to {arguments.output}")


def _round(bench: Bench, last: bool) -> None:
    with _started(contenders.stack(GATEWAY)) as gateway:
        for connections in CONNECTIONS:
            bench.measure(gateway, connections)
        if last:
            bench.measure_open_loop(gateway)
    with ExitStack() as servers:
        plain = [servers.enter_context(_started(contenders.plain(*one))) for one in PLAIN]
        for connections in CONNECTIONS:
            for server in plain:
                bench.measure(server, connections)
    with _started(contenders.stack(GATEWAYS, gateways=2, replicas=2)) as gateways:
        bench.measure(gateways, FULL)


@contextmanager
def _started(starting: AbstractContextManager[Contender]) -> Iterator[Contender]:
    """A contender that is known to answer every row it will be asked for."""
    with starting as contender:
        say(f"  {contender.name} is up")
        bodies = contenders.sample_bodies(ROWS)
        BODIES.write_text("".join(f"{json.dumps(body)}\n" for body in bodies), encoding="utf-8")
        contenders.check_answers(contender, bodies)
        yield contender


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
