"""Environment of every Ray process, on a laptop and on Kubernetes alike. Must be set before ``ray start``."""

from __future__ import annotations

from types import MappingProxyType

RETURNED_MEMORY = MappingProxyType({"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"})
"""What was freed goes back to the machine (docs/benchmarks.md).

Threads would each keep an arena of glibc's allocator, whose holes grow under load, and Arrow's own allocator keeps
what a pass over the prediction log took.
"""

SHARED_RAY_ENVIRONMENT = MappingProxyType(
    {
        **RETURNED_MEMORY,
        # HAProxy in front and user code on the replica's loop: six times the requests of the default proxy.
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # A gateway that is killed closes connections without an answer: another gateway may take the request.
        # Predictions may run twice; what may not carries an idempotency key. One on a node that is cut off answers
        # nothing and closes nothing: where the wait is bounded, as on a cluster, another is asked after it.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response response-timeout",
        "RAY_SERVE_HAPROXY_RETRIES": "3",
        # Else HAProxy writes a line a request to a Python process that counts it: a fifth of the throughput on two
        # cores. The gateway counts requests itself, and HAProxy's own exporter (9101) stays.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        # Ray would run workers at nice 15, behind every other process of the machine: replicas answer people.
        "RAY_worker_niceness": "0",
        # Ray's first telemetry question would wait for an answer on a terminal.
        "RAY_USAGE_STATS_ENABLED": "0",
    }
)
"""Variables with one value on head and workers everywhere; what differs by place is added there.

``RAY_AUTH_MODE`` and the draining period are not here: a laptop has neither a token nor a load balancer that needs
half a minute to notice.
"""
