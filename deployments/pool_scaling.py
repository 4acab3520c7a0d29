"""How many replicas a version's pool should have.

Requests under way are the wrong signal here: gateways join rows, so while a hundred rows wait a pool may see only
two calls (measured: the figure *fell* as load rose). What a pool can tell is the share of the time that its
model was at work, and what the gateways tell is how many rows stand behind their calls.

Serve's controller calls ``desired_replicas`` several times a second and applies bounds and delays itself. It also
wakes a pool without replicas by itself, and asks nobody, when a call for it waits at some handle.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

BUSY = "busy"
"""Predict seconds a wall second of one replica since it was last asked, 0 to 1."""
BACKLOG = "backlog"
"""Rows that wait or are in flight for the version, in all gateways that this replica heard of lately."""
TARGET = "target"
"""The wanted value of ``busy``; told by the replicas, because a change of a policy's arguments restarts them."""

BACKLOG_LIMIT_ROWS = 512


def desired_replicas(context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
    """The policy in the form that Serve calls: the number of replicas, and no state."""
    figures = context.aggregated_metrics or {}
    may_sleep = context.capacity_adjusted_min_replicas == 0
    return decide(figures, context.current_num_replicas, context.target_num_replicas, may_sleep), {}


def decide(figures: Mapping[str, Mapping[Any, float]], current: int, target: int, may_sleep: bool = False) -> int:
    """Replicas for what the pool told.

    Before anybody has told anything the current target stays: silence is not idleness. A backlog that outgrows
    what gateways join into two calls a replica asks for one more, whatever ``busy`` says, and a pool with a
    backlog never shrinks. None are wanted only where nobody has asked for anything at all.

    Args:
        figures: By name and replica: ``busy``, ``backlog``, ``target``.
        current: Replicas that run.
        target: Replicas that were last asked for.
        may_sleep: Whether there may be none.

    >>> decide({"busy": {"a": 0.9, "b": 0.9}, "target": {"a": 0.7, "b": 0.7}}, current=2, target=2)
    3
    """
    busy = figures.get(BUSY, {})
    if not busy:
        return target
    backlog = max(figures.get(BACKLOG, {}).values(), default=0.0)
    if may_sleep and not backlog and not any(busy.values()):
        return 0
    wanted = min(figures.get(TARGET, {}).values(), default=0.7)
    desired = max(1, math.ceil(round(sum(busy.values()) / wanted, 6)))
    if backlog > BACKLOG_LIMIT_ROWS * current:
        return max(desired, current + 1)
    return max(desired, current) if backlog > BACKLOG_LIMIT_ROWS else desired
