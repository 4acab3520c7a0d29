"""``make bench-shedding``: what becomes of callers when more is asked than the pool can do.

The gateway with its default limits, over HTTP, before a pool of a fixed capacity (``paced_gateway``).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import contenders
import open_loop
import paced_gateway
import page
import report
from console import say
from document import conditions
from open_loop import OpenLoop

from deployments.contracts.traffic_policy import Limits

TIMES_CAPACITY = (1, 2, 4)
WARM_UP_SECONDS = 3.0
GOODPUT_SHARE = 0.9
"""Least share of the best goodput that is expected at every load."""

Curve = Mapping[int, OpenLoop]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="of each load (default 20)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    console.run(partial(_run, parser.parse_args()))


def _run(arguments: argparse.Namespace) -> None:
    busy = console.busy_percent()
    curve = measure(arguments.seconds)
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(curve, arguments.seconds, Limits(), measured)
    page.write(arguments.output, "make bench-shedding", text)
    print(text)
    say(f"Written to {arguments.output}")


def measure(seconds: float) -> Curve:
    """Load one gateway at every rate in turn; a fresh one each, so that no queue is inherited."""
    curve = {}
    for times in TIMES_CAPACITY:
        with contenders.uvicorn("the paced gateway", "paced_gateway:build") as gateway:
            file = contenders.STATE / "bodies-paced.jsonl"
            body = {"model_id": paced_gateway.ENDPOINT, "features": {paced_gateway.FEATURE: 0.25}}
            file.write_text(json.dumps(body), encoding="utf-8")
            open_loop.run(gateway.row, file, paced_gateway.CAPACITY / 2, WARM_UP_SECONDS)
            curve[times] = run = open_loop.run(gateway.row, file, times * paced_gateway.CAPACITY, seconds)
        say(f"  {times}x: {run.achieved_rate:.0f}/s good, {run.refused} refused, p99 {run.p99:.0f} ms")
    return curve


def document(curve: Curve, seconds: float, limits: Limits, measured: str) -> str:
    """The part of the page."""
    return f"""
`make bench-shedding`: the gateway's hot path over HTTP with the default limits, before a pool that scores
{paced_gateway.CAPACITY:,.0f} rows a second and no more. Requests of one row leave at a constant rate for
{seconds:g} s, whatever the answers do. A refusal is a 503 with `Retry-After`; latency counts from the time at
which a request ought to have left.

{measured}

{table(curve)}

{report.bullets(expectations(curve, limits))}
"""


def table(curve: Curve) -> str:
    """What became of each load; the last column is the generator's own lateness."""
    lines = [
        "| offered | offered/s | good answers/s | refused | accepted p50 ms | p99 ms | worst ms "
        "| refused p50 ms | p99 ms | errors | latest send ms |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [f"| {times}x {_cells(run)} |" for times, run in curve.items()]
    return "\n".join(lines)


def expectations(curve: Curve, limits: Limits) -> list[str]:
    """What was promised, and whether it is so.

    A row that was accepted waits for at most ``max_wait_seconds``, for the call in flight and for its own; a
    tenth of a second is for HTTP and this machine.
    """
    best = max(run.achieved_rate for run in curve.values())
    least = min(run.achieved_rate for run in curve.values())
    bound = 1000 * (limits.max_wait_seconds + 2 * limits.max_call_seconds + 0.1)
    slowest = max(run.p99 for run in curve.values())
    errors = sum(run.errors for run in curve.values())
    return [
        report.told(
            "goodput within 10 % of the best at every load", least >= GOODPUT_SHARE * best, f"{least / best:.0%}"
        ),
        report.told(f"p99 of accepted requests under {bound:,.0f} ms", slowest < bound, f"{slowest:,.0f} ms"),
        report.told("nothing but good answers and refusals", errors == 0, str(errors)),
    ]


def _cells(run: OpenLoop) -> str:
    refused = run.refused / max(run.sent, 1)
    return (
        f"| {run.wanted_rate:,.0f} | {run.achieved_rate:,.0f} | {refused:.0%} | {run.p50:,.0f} | {run.p99:,.0f} "
        f"| {run.worst:,.0f} | {_shown(run.refused_p50)} | {_shown(run.refused_p99)} | {run.errors} "
        f"| {run.latest_send:.0f}"
    )


def _shown(milliseconds: float) -> str:
    return "" if math.isnan(milliseconds) else f"{milliseconds:,.1f}"


if __name__ == "__main__":
    main()
