"""Replicas of exactly one model version: a Serve deployment that adapts, and decides nothing."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve

from deployments import pool_scaling
from deployments.contracts.package import InferencePath
from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest
from deployments.runtime import package
from deployments.runtime.predictor import Predictor, Scored

BACKLOG_SECONDS = 2.0  # a gateway that was not heard of for so long has nothing waiting, or is gone


class VersionPool:
    """One replica. Its arguments never change in place: another package is another application.

    Args:
        package_directory: Where the package lies.
        digest: The package that must lie there; any other is refused before anything is unpickled.
    """

    def __init__(self, package_directory: str, digest: str) -> None:
        self._package = package.load(Path(package_directory), digest)
        self._predictor = Predictor(self._package)
        self._predictor.warm()
        # The native path holds the interpreter for milliseconds: off the event loop, health checks and describe()
        # go on meanwhile. The compiled path takes less than the hand-over to a thread.
        threads = ThreadPoolExecutor(1, "native") if self._predictor.path is InferencePath.NATIVE else None
        self._thread = threads
        self._target = 0.7
        self._busy_seconds, self._asked_at = 0.0, time.monotonic()
        self._backlogs: dict[str, tuple[int, float]] = {}

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take over the wanted utilisation without a restart."""
        self._target = float(user_config["target_utilisation"])

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What ``pool_scaling`` decides on; Serve asks once an interval."""
        now = time.monotonic()
        busy = self._busy_seconds / max(now - self._asked_at, 1e-3)
        self._busy_seconds, self._asked_at = 0.0, now
        self._backlogs = {name: told for name, told in self._backlogs.items() if now - told[1] < BACKLOG_SECONDS}
        backlog = sum(rows for rows, _ in self._backlogs.values())
        return {
            pool_scaling.BUSY: min(busy, 1.0),
            pool_scaling.BACKLOG: backlog,
            pool_scaling.TARGET: self._target,
        }

    async def describe(self) -> dict[str, Any]:
        """What a gateway needs to know before it sends rows (``wire.PoolDescription``)."""
        described = PoolDescription(
            self._package.digest, self._package.schema, self._package.metadata, self._package.reference
        )
        return described.to_plain()

    async def predict(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Score the rows of a ``wire.PoolRequest`` into a ``wire.PoolReply``.

        Raises:
            WireMismatch: The gateway speaks another contract version.
        """
        request = PoolRequest.from_plain(plain)
        if request.schema_fingerprint != self._package.schema.fingerprint:
            return self._refused("schema")
        self._backlogs[request.gateway] = (request.backlog, time.monotonic())
        scored, seconds = await self._score(request)
        if scored is None:
            return self._refused("expired")
        self._busy_seconds += seconds
        return PoolReply(
            digest=self._package.digest,
            path=scored.path,
            scores=scored.scores,
            errors=scored.errors,
            model_seconds=seconds,
        ).to_plain()

    async def _score(self, request: PoolRequest) -> tuple[Scored | None, float]:
        """Scores and model time; no scores if nobody waits for them any more when the thread comes to them."""
        expires = time.perf_counter() + request.budget_seconds

        def score() -> tuple[Scored | None, float]:
            began = time.perf_counter()
            if began > expires:
                return None, 0.0
            return self._predictor.predict(request.columns), time.perf_counter() - began

        if self._thread is None:
            return score()
        return await asyncio.get_running_loop().run_in_executor(self._thread, score)

    def _refused(self, reason: str) -> dict[str, Any]:
        nothing = np.empty((0, 0))
        return PoolReply(self._package.digest, self._predictor.path, nothing, refusal=reason).to_plain()


VersionPoolDeployment = serve.deployment(name="VersionPool")(VersionPool)
