"""Replicas of exactly one model version: a Serve deployment that adapts, and decides nothing."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve

from deployments.contracts.package import InferencePath
from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest
from deployments.runtime import package
from deployments.runtime.predictor import Predictor, Scored


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
        began = time.perf_counter()
        scored = await self._score(request)
        return PoolReply(
            digest=self._package.digest,
            path=scored.path,
            scores=scored.scores,
            errors=scored.errors,
            model_seconds=time.perf_counter() - began,
        ).to_plain()

    async def _score(self, request: PoolRequest) -> Scored:
        if self._thread is None:
            return self._predictor.predict(request.columns)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._predictor.predict, request.columns)

    def _refused(self, reason: str) -> dict[str, Any]:
        nothing = np.empty((0, 0))
        return PoolReply(self._package.digest, self._predictor.path, nothing, refusal=reason).to_plain()


VersionPoolDeployment = serve.deployment(name="VersionPool")(VersionPool)
