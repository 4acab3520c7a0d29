"""The words around the tables of ``make bench``."""

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


def conditions(busy: float, facts: Sequence[str], now: datetime) -> str:
    """When and on what a part of the page was measured.

    Args:
        busy: Per cent of all cores that something else took before the run.
        facts: About the machine.
        now: The day that is told.
    """
    day = f"Measured on {now.astimezone(UTC):%Y-%m-%d}"
    return report.bullets([day, *facts, f"{busy:.0f} % of the machine was busy with other things before the run"])


def document(
    table: report.Table,
    open_loops: Sequence[tuple[str, OpenLoop]],
    roles: report.Roles,
    full: int,
    method: Method,
    now: datetime,
) -> str:
    """The part of the page that ``make bench`` writes.

    Args:
        table: Closed loops.
        open_loops: By the name of their load.
        roles: Of the contenders.
        full: Connections of the full load.
        method: How it was measured.
        now: When.
    """
    rows = sorted({case.rows for case in table})
    closed = "\n\n".join(
        f"#### {count} row{'s' if count > 1 else ''} a request\n\n{report.figures_table(table, count)}"
        for count in rows
    )
    return f"""
`make bench` compares the stack with plain FastAPI servers in one run.

{conditions(method.busy, method.facts, now)}

### What is compared

- **{roles.gateway}**: the credit-risk example as `raygate up` starts it: HAProxy, one gateway, a pool of one
  replica for each of two versions; authentication, validation, 90/10 split, prediction log, metrics and monitor
  on.
- **{roles.shadowed}**: the same, and every request is copied to a third version (100 boosted trees), compared and
  logged.
- **(a) FastAPI, compiled package**: a plain FastAPI route with pydantic models behind uvicorn with uvloop and
  httptools; the same compiled package of the stable version that Raygate serves. The honest yardstick.
- **(b) FastAPI, scikit-learn pipeline**: the same route with the pipeline on a data frame, which is what most
  people run.

Neither yardstick authenticates, splits, retries, logs, counts or watches anything, and each asks the stable
version only, a logistic regression, while one request in ten to Raygate goes to boosted trees.

### Method

`wrk` posts real rows over keep-alive connections from the same machine, so it takes its part of the cores too. A
figure is the median of {method.rounds} rounds of {method.seconds} s, each after {method.warm_up} s of warm-up;
errors are the sum; only good answers count into rates. Within a round Raygate runs alone, without and then with
the shadow, then the plain servers (started together, loaded in turn: an idle one takes no CPU). An idle Ray does
take CPU, so it is stopped meanwhile.

CPU is user and system time of all processes of the contender over the number of requests: for Raygate everything
of the stack, Ray's daemons, dashboard, HAProxy and monitor included; `wrk` is not in it. Memory is the sum of
their proportional set sizes (PSS) after the run. `wrk` itself corrects its percentiles upwards for answers that
took more than twice the mean.

### Closed loop

{closed}

{report.spread(table)}

### Ratios of requests a second

{report.ratios_table(table, roles)}

### Expected

{report.bullets(report.expectations(table, roles, full))}

### Open loop: {roles.gateway}

Requests of one row leave at a constant rate whatever the answers do; latency counts from the time at which a
request ought to have left. The generator (`open_loop.py`) wakes up to a millisecond late, more while it does not
get a core: that is in the figures, and its worst is the last column. Capacity is the closed loop's rate at
{full} connections in the last round.

{report.open_loop_table(open_loops)}
"""
