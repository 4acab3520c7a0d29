"""The gateway's side of the wire: a Serve handle to the pool of one version."""

from __future__ import annotations

import asyncio
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest


class PoolClient:
    """Calls one version's pool; Serve's router picks the replica and avoids those that it knows to be gone."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle

    @classmethod
    async def connect(cls, application: str) -> PoolClient:
        """Find a pool's application; in a thread, because finding it blocks.

        Raises:
            RayServeException: There is no such application.
        """
        return cls(await asyncio.to_thread(serve.get_app_handle, application))

    async def describe(self, timeout_seconds: float) -> PoolDescription:
        """Ask some replica what it serves.

        Raises:
            TimeoutError: None answered in time.
            WireMismatch: The pool speaks another contract version.
        """
        async with asyncio.timeout(timeout_seconds):
            return PoolDescription.from_plain(await self._handle.describe.remote())

    async def predict(self, request: PoolRequest) -> PoolReply:
        """Send rows and wait for their scores; raises whatever the transport raises."""
        return PoolReply.from_plain(await self._handle.predict.remote(request.to_plain()))
