"""One call to a pool, made again where it fails or takes strangely long.

A call that fails in transport is repeated at once. One that takes far longer than calls of its size do is not
given up but joined by a second one: while the first is pending, Serve's router counts it against its replica and
prefers another, which is how a replica that was stopped, or lost its network, is got around long before health
checks see it. Whichever answers first is taken. A row that hangs a model must not hang all of its replicas, so
there is a third call only where the second one seems to have met the same replica: all others answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from deployments.contracts.errors import DeadlineExceeded, PoolUnavailable, RaygateError, WireMismatch
from deployments.contracts.traffic_policy import Limits
from deployments.contracts.wire import PoolReply, PoolRequest
from deployments.gateway.answering_replicas import AnsweringReplicas

RETRY_PAUSE_SECONDS = 0.02
Call = Callable[[PoolRequest], Awaitable[PoolReply]]
Clock = Callable[[], float]


class Attempts:
    """The calls for one batch of rows.

    Args:
        version: For errors.
        call: Sends a request to some replica and waits; raises whatever the transport raises.
        limits: Of the endpoint.
        clock: Monotonic seconds.
        answering: Which replicas answer the calls of all batches.

    Attributes:
        made: Calls so far.
    """

    def __init__(
        self, version: str, call: Call, limits: Limits, clock: Clock, answering: AnsweringReplicas
    ) -> None:
        self._version, self._call, self._limits, self._clock = version, call, limits, clock
        self._answering = answering
        self._pending: set[asyncio.Task[PoolReply]] = set()
        self._joined_at: float | None = None
        self.made = 0

    async def reply(self, request: PoolRequest, deadline: float, patience_seconds: float) -> PoolReply:
        """The pool's reply.

        Args:
            request: The rows; its budget is set at each call.
            deadline: Time of the clock after which nobody waits.
            patience_seconds: After which a call takes strangely long.

        Raises:
            PoolUnavailable: No call was answered, and no more are made.
            DeadlineExceeded: The deadline came first.
            WireMismatch: The pool speaks another contract version, or has another schema.
        """
        try:
            self._begin(request, deadline)
            while True:
                failure = await self._first(min(deadline, self._clock() + patience_seconds))
                if isinstance(failure, PoolReply):
                    return self._accepted(failure, request)
                if failure is None:  # it takes strangely long
                    if self._clock() >= deadline:
                        raise DeadlineExceeded(self._limits.deadline_seconds)
                    if not self._may_join():
                        continue
                    self._joined_at = self._clock()
                elif self.made >= self._limits.attempts:
                    raise PoolUnavailable(self._version, self.made, type(failure).__name__) from failure
                else:
                    await asyncio.sleep(RETRY_PAUSE_SECONDS * (self.made - 1))
                self._begin(request, deadline)
        finally:
            for call in self._pending:
                self._leave(call)

    def _begin(self, request: PoolRequest, deadline: float) -> None:
        remaining = deadline - self._clock()
        if remaining <= 0:
            raise DeadlineExceeded(self._limits.deadline_seconds)
        self.made += 1
        call = self._call(replace(request, budget_seconds=remaining))
        self._pending.add(asyncio.ensure_future(call))

    def _may_join(self) -> bool:
        if self._joined_at is None:
            return True
        return self.made < self._limits.attempts and self._answering.all_but_one_since(self._joined_at)

    async def _first(self, until: float) -> PoolReply | BaseException | None:
        """The first reply; if all calls failed, why the last one did; None if neither until then."""
        failure: BaseException | None = None
        while self._pending:
            timeout = max(0.0, until - self._clock())
            done, self._pending = await asyncio.wait(
                self._pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return None
            for call in done:
                # Serve hands over the cancellation of a call at the replica as if it were ours.
                failure = asyncio.CancelledError() if call.cancelled() else call.exception()
                if failure is None:
                    return call.result()
                if isinstance(failure, RaygateError):
                    raise failure
        return failure

    def _accepted(self, reply: PoolReply, request: PoolRequest) -> PoolReply:
        if reply.refusal == "schema":
            raise WireMismatch("feature schemas", request.schema_fingerprint, reply.digest)
        if reply.refusal:
            raise DeadlineExceeded(self._limits.deadline_seconds)
        return reply

    def _leave(self, call: asyncio.Task[PoolReply]) -> None:
        """Let a call that nobody waits for go on for a while: pending, it keeps the router from its replica."""
        call.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        asyncio.get_running_loop().call_later(self._limits.attempt_seconds, call.cancel)
