"""Versions whose pools may have no replica.

A call that waits at a handle is what makes Serve start one. So nobody asks a pool that sleeps how it is; whoever
needs it waits for one call that says what it serves, which all who wait share, and sends rows once it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from deployments.contracts.errors import PoolUnavailable, RaygateError

if TYPE_CHECKING:
    from deployments.gateway.served_endpoint import ServedVersion


class PoolStarting(PoolUnavailable):
    """A version's pool slept, and does not answer yet. It goes on starting."""

    retry_after_seconds = 5

    def __init__(self, version: str) -> None:
        super().__init__(version, 0, "starting")

    def __reduce__(self) -> tuple[type[PoolStarting], tuple[str]]:
        return type(self), (self.version,)

    def __str__(self) -> str:
        return f"the pool of {self.version} slept and is starting; ask again"


class Sleeper:
    """One such version, while only pins and rules lead to it.

    Args:
        version: Names the pool.
        wake: Waits until the pool has said what it serves.

    Attributes:
        asleep: Whether the pool had no replica when Serve was asked last.
    """

    def __init__(self, version: str, wake: Callable[[], Coroutine[Any, Any, ServedVersion]]) -> None:
        self._version, self._wake = version, wake
        self._waking: asyncio.Future[ServedVersion] | None = None
        self.asleep = False

    async def awake(self, timeout_seconds: float) -> ServedVersion:
        """The version, as soon as its pool answers.

        Raises:
            PoolStarting: It does not in time.
            PoolUnavailable: It cannot.
        """
        if self._waking is None or self._waking.done():
            # In no request's context: Serve cancels what a request has called when its caller leaves; others wait.
            self._waking = asyncio.get_running_loop().create_task(self._wake(), context=Context())
            self._waking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        waking = self._waking
        try:
            await asyncio.wait_for(asyncio.shield(waking), timeout_seconds)
        except TimeoutError as error:
            raise PoolStarting(self._version) from error
        except RaygateError:
            raise
        except Exception as error:
            raise PoolUnavailable(self._version, 1, type(error).__name__) from error
        return waking.result()
