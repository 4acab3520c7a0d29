"""Hands the series to a push gateway, where Prometheus cannot reach the monitor."""

from __future__ import annotations

import logging
import threading

from prometheus_client import push_to_gateway
from prometheus_client.registry import Collector

JOB = "raygate"
TIMEOUT_SECONDS = 5.0
_log = logging.getLogger("raygate.monitor")


class Push:
    """Pushes all series again and again, from a thread of its own; one push replaces the last.

    Args:
        gateway: Base URL of the push gateway.
        registry: What is pushed.
        instance: Tells this stack from others that push to the same gateway.
        pause_seconds: Between two pushes.
    """

    def __init__(self, gateway: str, registry: Collector, instance: str, pause_seconds: float = 15.0) -> None:
        self._gateway, self._registry, self._instance, self._pause = gateway, registry, instance, pause_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Push no more. What was pushed stays at the gateway, with the time of its last push."""
        self._stopping.set()

    def _run(self) -> None:
        away = False
        while not self._stopping.wait(self._pause):
            try:
                push_to_gateway(
                    self._gateway, JOB, self._registry, {"instance": self._instance}, timeout=TIMEOUT_SECONDS
                )
                away = False
            except OSError as error:
                if not away:  # said once, and not every quarter of a minute
                    _log.warning("the push gateway %s takes nothing: %s", self._gateway, error)
                away = True
            except Exception:  # of a collector, say; without this thread nothing would ever be pushed again
                if not away:
                    _log.exception("series are not pushed to %s", self._gateway)
                away = True
