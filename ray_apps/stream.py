"""A stream on Ray: its workers are watched, and those that fail begin again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from deployments.contracts import secret_reference
from deployments.streaming.errors import (
    BrokersRefuse,
    ClientOptionRefused,
    GatewayRefuses,
    RegistryRefuses,
    ResultSchemaMissing,
    SchemaUnusable,
    StreamNotStarted,
    TopicUnreadable,
    TopicUnwritable,
)
from deployments.streaming.figures import StreamFigures
from deployments.streaming.stream_file import PredictionStream
from ray_apps.local.ray_cluster import dashboard_answers
from ray_apps.settings import Settings
from ray_apps.stream_worker import StreamActor

LOOK_SECONDS = 1.0
AGAIN_SECONDS = 5.0
SILENT_SECONDS = 10.0
"""A worker that says nothing for so long is gone; its partitions are with another about then."""
LEAVE_SECONDS = 30.0
_FOR_PEOPLE = (
    BrokersRefuse,
    ClientOptionRefused,
    GatewayRefuses,
    RegistryRefuses,
    ResultSchemaMissing,
    SchemaUnusable,
    TopicUnreadable,
    TopicUnwritable,
    secret_reference.SecretUnavailable,
)
"""What does not pass by itself: the stream ends and says so."""
Told = Callable[[Mapping[int, StreamFigures]], None]
_log = logging.getLogger("raygate.stream")


class StreamRun:
    """The workers of a stream on a Ray cluster.

    Args:
        stream: What they do.
        settings: Where cluster and gateway are.
        credential: Where the API key is, unless the stream says; None where nobody is asked for one.
    """

    def __init__(self, stream: PredictionStream, settings: Settings, credential: str | None) -> None:
        self._stream, self._settings = stream, settings
        self._credential = stream.spec.credential or credential
        self._ray: Any = None
        self._actors: dict[int, Any] = {}
        self._figures: dict[int, StreamFigures] = {}
        self._heard: dict[int, float] = {}

    @property
    def figures(self) -> Mapping[int, StreamFigures]:
        """The latest figures by worker, of those that were heard of lately.

        A worker that is gone has no partitions: others have them, and count the same lag.
        """
        return heard_lately(self._figures, self._heard, time.monotonic())

    def start(self) -> None:
        """Start the workers' processes.

        Raises:
            StreamNotStarted: The cluster cannot be reached.
        """
        self._ray = _connected(self._settings)
        actor = self._ray.remote(StreamActor)
        arguments = (self._stream.model_dump_json(by_alias=True), self._settings.api_url, self._credential)
        options = {"num_cpus": 0.1, "max_restarts": -1, "max_task_retries": -1, "max_concurrency": 10}
        self._actors = {
            worker: actor.options(**options).remote(*arguments) for worker in range(self._stream.spec.workers)
        }

    def run(self, stopping: threading.Event, told: Told) -> None:
        """Let the workers work until they are to stop; one that fails begins again after a pause.

        Args:
            stopping: Ends it; workers finish what is under way.
            told: Told the figures about once a second.

        Raises:
            RaygateError: What only people can change.
        """
        try:
            self._watch(stopping, told)
        finally:
            self._ray.shutdown()

    def _watch(self, stopping: threading.Event, told: Told) -> None:
        running = {worker: actor.run.remote() for worker, actor in self._actors.items()}
        resting: dict[int, float] = {}
        while not stopping.is_set():
            for worker in self._ended(running, LOOK_SECONDS):
                self._check(running.pop(worker))
                resting[worker] = time.monotonic() + AGAIN_SECONDS
            for worker in [worker for worker, until in resting.items() if until <= time.monotonic()]:
                del resting[worker]
                running[worker] = self._actors[worker].run.remote()
            self._read()
            told(self.figures)
        for actor in self._actors.values():
            actor.stop.remote()
        self._ended(running, LEAVE_SECONDS, all_of_them=True)
        self._read()

    def _ended(self, running: Mapping[int, Any], seconds: float, all_of_them: bool = False) -> list[int]:
        """Workers that ended; waits for the first, or for all, for some seconds."""
        if not running:
            time.sleep(min(seconds, LOOK_SECONDS))
            return []
        wanted = len(running) if all_of_them else 1
        done, _ = self._ray.wait(list(running.values()), num_returns=wanted, timeout=seconds)
        return [worker for worker, task in running.items() if task in done]

    def _check(self, task: Any) -> None:
        """Look at how a worker ended.

        Raises:
            RaygateError: What only people can change.
        """
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayTaskError as failed:
            if isinstance(failed.cause, _FOR_PEOPLE):
                raise failed.cause from failed
            _log.warning("a worker begins again in %g s: %s", AGAIN_SECONDS, failed.cause)
        except self._ray.exceptions.RayError:
            _log.exception("a worker begins again in %g s", AGAIN_SECONDS)

    def _read(self) -> None:
        """Read the figures; of a worker that does not answer the last ones stay for a while."""
        asked = {worker: actor.figures.remote() for worker, actor in self._actors.items()}
        answered, _ = self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=LOOK_SECONDS)
        for worker, reference in asked.items():
            if reference in answered:
                try:
                    self._figures[worker] = self._ray.get(reference)
                    self._heard[worker] = time.monotonic()
                except self._ray.exceptions.RayError:
                    _log.debug("worker %d is away", worker)


def heard_lately(
    figures: Mapping[int, StreamFigures], heard: Mapping[int, float], now: float
) -> dict[int, StreamFigures]:
    """The figures of workers that were heard of in the last ``SILENT_SECONDS``.

    Args:
        figures: By worker.
        heard: When each was heard of last.
        now: On the same clock.
    """
    return {worker: counted for worker, counted in figures.items() if now - heard[worker] <= SILENT_SECONDS}


def _connected(settings: Settings) -> Any:
    """Ray, as a driver of the stack's cluster, or of that of ``RAY_ADDRESS``.

    Raises:
        StreamNotStarted: It cannot be reached.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # Ray would turn token authentication on by itself
    import ray

    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        address = f"127.0.0.1:{settings.ray_port}"
        if not dashboard_answers(settings.dashboard_url, LOOK_SECONDS):  # Ray itself would wait for minutes
            raise StreamNotStarted(address, "the stack is not up")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises plain ones when nobody answers
        raise StreamNotStarted(address, str(error).splitlines()[0]) from error
    return ray
