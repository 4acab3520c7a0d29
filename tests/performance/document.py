"""The words around the tables of ``docs/benchmarks.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import report
from open_loop import OpenLoop


@dataclass(frozen=True, slots=True)
class Method:
    """How it was measured.

    Attributes:
        seconds: Of each run.
        warm_up: Seconds of load before each.
        rounds: Medians are taken over them.
        busy: Per cent of all cores that something else took before the run.
        facts: About the machine.
    """

    seconds: int
    warm_up: int
    rounds: int
    busy: float
    facts: Sequence[str]


def document(
    table: report.Table,
    open_loops: Sequence[tuple[str, OpenLoop]],
    roles: report.Roles,
    connections: Sequence[int],
    method: Method,
) -> str:
    """The whole page, with an empty place for what is written by hand."""
    full = max(connections)
    facts = "\n".join(f"- {fact}" for fact in method.facts)
    expected = "\n".join(f"- {line}" for line in report.expectations(table, roles, full))
    return f"""# Benchmarks

Written by `make bench` (`tests/performance/`) on {datetime.now(UTC):%Y-%m-%d}; run it to get the figures of your
machine. Edit nothing here but *Where the time goes*, which it keeps.

{facts}
- {method.busy:.0f} % of the machine was busy with other things before the run

## What is compared

- **{roles.gateway}**: the credit-risk example as `raygate up` starts it: HAProxy, one gateway, a pool of one
  replica for each of two versions, 90/10 split, validation, metrics and monitor on.
- **(a) FastAPI, compiled package**: a plain FastAPI route with pydantic models behind uvicorn with uvloop and
  httptools; the same compiled package of the stable version that Raygate serves. The honest yardstick.
- **(b) FastAPI, scikit-learn pipeline**: the same route with the pipeline on a data frame of one row, which is
  what most people run.

Neither yardstick splits, retries, counts or watches anything, and each asks the stable version only, a logistic
regression, while one request in ten to Raygate goes to boosted trees.

## Method

`wrk` posts real rows, one a request, over keep-alive connections from the same machine, so it takes its part of
the cores too. A figure is the median of {method.rounds} rounds of {method.seconds} s, each after
{method.warm_up} s of warm-up; errors are the sum. Within a round Raygate runs alone, then the plain servers
(started together, loaded in turn: an idle one takes no CPU), then Raygate with two gateways. An idle Ray does
take CPU, so it is stopped meanwhile.

CPU is user and system time of all processes of the contender over the number of requests: for Raygate everything
of the stack, Ray's daemons, dashboard, HAProxy and monitor included; `wrk` is not in it. Memory is the sum of
their proportional set sizes (PSS) after the run. `wrk` itself corrects its percentiles upwards for answers that
took more than twice the mean.

## Closed loop

{report.figures_table(table)}

{report.spread(table)}

## Ratios of requests a second

{report.ratios_table(table, roles, connections)}

## Expected at {full} connections

{expected}

## Open loop: {roles.gateway}

Requests leave at a constant rate whatever the answers do; latency counts from the time at which a request ought
to have left. The generator (`open_loop.py`) wakes up to a millisecond late, more while it does not get a core:
that is in the figures, and its worst is the last column. Capacity is the closed loop's rate at {full} connections
in the last round.

{report.open_loop_table(open_loops)}

## Where the time goes

{report.BEGIN_BY_HAND}{report.END_BY_HAND}
"""
