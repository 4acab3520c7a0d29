"""Rows on their way to a version's pool: coalesced, bounded, retried.

While the allowed number of calls to a pool is in flight, rows queue and leave together in the next call; with a
free slot a row leaves at once, so light load pays no wait. A call that fails in transport is repeated, and Serve's
router then picks another replica; an error of the model is an answer, not a failure, and is never repeated.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from deployments.contracts.errors import (
    DeadlineExceeded,
    FieldProblem,
    InvalidRows,
    Overloaded,
    PoolUnavailable,
    RaygateError,
    WireMismatch,
)
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import Limits
from deployments.contracts.wire import Floats, PoolReply, PoolRequest
from deployments.gateway.row_validation import RowValidator, ValidatedRows

CALL_BYTES_LIMIT = 3_000_000  # calls between deployments must stay below gRPC's 4 MB
ROW_OVERHEAD_BYTES = 64  # a prediction id and what pickling adds
RETRY_PAUSE_SECONDS = 0.02


Call = Callable[[PoolRequest], Awaitable[PoolReply]]


class Clock(Protocol):
    """Monotonic time in seconds."""

    def __call__(self) -> float:
        """Now."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The pool's answer for the rows of one request.

    Attributes:
        values: float64, shape (rows, classes or 1).
        errors: Why a row has no score, by its position in the request.
        path: ``compiled`` or ``native``.
        model_seconds: Model time of the whole call, other callers' rows included.
        attempts: Calls that were made until the answer came.
    """

    values: Floats
    errors: dict[int, str]
    path: str
    model_seconds: float
    attempts: int


@dataclass(slots=True)
class _Waiting:
    rows: ValidatedRows
    size: int
    ids: list[str]
    deadline: float
    answer: asyncio.Future[Scores]


class Dispatcher:
    """Sends rows to the pool of one version.

    Args:
        version: The version's text, for errors.
        validator: Joins rows into columns; its schema's fingerprint goes with each call.
        call: Sends a request to some replica and waits; raises whatever the transport raises.
        limits: Of the endpoint.
        clock: Monotonic seconds.
        gateway: This gateway's identity.
        counts: Of the version: its retries and model time are counted here.
        replicas: The most that the pool may have.
    """

    def __init__(
        self,
        version: str,
        validator: RowValidator,
        call: Call,
        limits: Limits,
        clock: Clock,
        gateway: str,
        counts: VersionCounts,
        replicas: int = 1,
    ) -> None:
        self.version, self.limits, self.replicas = version, limits, replicas
        self._counts = counts
        self._row_bytes = ROW_OVERHEAD_BYTES + 9 * len(validator.schema.numeric)
        self._validator, self._call, self._clock, self._gateway = validator, call, clock, gateway
        self._queue: deque[_Waiting] = deque()
        self._waiting_rows = 0
        self._in_flight = 0
        self._rows_in_flight = 0
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def backlog(self) -> int:
        """Rows that wait or are in flight."""
        return self._waiting_rows + self._rows_in_flight

    def redirect(self, call: Call, limits: Limits, replicas: int) -> None:
        """Use another connection and other bounds from the next call on; what waits stays in the queue."""
        self._call, self.limits, self.replicas = call, limits, replicas

    def submit(self, rows: ValidatedRows, ids: list[str], deadline: float, size: int) -> asyncio.Future[Scores]:
        """Queue the rows of one request.

        Args:
            rows: At least one row.
            ids: Prediction ids, one a row.
            deadline: Time of the clock after which the caller has gone.
            size: Bytes of the rows, roughly; keeps a call under the transport's limit.

        Returns:
            A future of the scores; it fails with DeadlineExceeded, PoolUnavailable or WireMismatch.

        Raises:
            Overloaded: Too many rows wait already.
            InvalidRows: The rows alone are more than a call may carry.
        """
        size += rows.count * self._row_bytes
        if size > CALL_BYTES_LIMIT:
            message = f"{rows.count} rows of this model are too large for one request; send fewer"
            raise InvalidRows((FieldProblem("features", message),))
        if self._waiting_rows + rows.count > self.limits.max_waiting_rows:
            raise Overloaded(self.version, self._waiting_rows)
        answer: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(rows, size, ids, deadline, answer))
        self._waiting_rows += rows.count
        self._start_calls()
        return answer

    def _start_calls(self) -> None:
        while self._queue and self._in_flight < self.limits.calls_in_flight * self.replicas:
            batch = self._next_batch()
            if batch:
                count = sum(waiting.rows.count for waiting in batch)
                self._in_flight += 1
                self._rows_in_flight += count
                task = asyncio.get_running_loop().create_task(self._send(batch, count))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)

    def _next_batch(self) -> list[_Waiting]:
        """Take as much of the queue as one call holds; at least one request, without those that expired."""
        now = self._clock()
        batch: list[_Waiting] = []
        rows = size = 0
        while self._queue:
            first = self._queue[0]
            fits = rows + first.rows.count <= self.limits.max_call_rows and size + first.size <= CALL_BYTES_LIMIT
            if batch and not fits:
                break
            self._queue.popleft()
            self._waiting_rows -= first.rows.count
            if first.answer.done():
                continue
            if first.deadline <= now:
                first.answer.set_exception(DeadlineExceeded(self.limits.deadline_seconds))
                continue
            batch.append(first)
            rows += first.rows.count
            size += first.size
        return batch

    async def _send(self, batch: list[_Waiting], count: int) -> None:
        deadline = max(waiting.deadline for waiting in batch)
        try:
            request = PoolRequest(
                schema_fingerprint=self._validator.schema.fingerprint,
                columns=self._validator.join([waiting.rows for waiting in batch]),
                prediction_ids=[prediction_id for waiting in batch for prediction_id in waiting.ids],
                budget_seconds=0.0,  # set at each attempt
                gateway=self._gateway,
                backlog=self.backlog,
            )
            reply, attempts = await self._ask(request, deadline)
            self._counts.model_seconds += reply.model_seconds
            self._hand_out(batch, reply, attempts)
        except Exception as error:  # whatever happened, every caller is told
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
        finally:
            for waiting in batch:  # the task itself was cancelled: the gateway stops
                waiting.answer.cancel()
            self._in_flight -= 1
            self._rows_in_flight -= count
            self._start_calls()

    async def _ask(self, request: PoolRequest, deadline: float) -> tuple[PoolReply, int]:
        """Call the pool, again after a failure of the transport, until the deadline or the last attempt."""
        for attempt in range(1, self.limits.attempts + 1):
            remaining = deadline - self._clock()
            if remaining <= 0:
                raise DeadlineExceeded(self.limits.deadline_seconds)
            budget = min(remaining, self.limits.attempt_seconds)
            try:
                async with asyncio.timeout(budget):
                    reply = await self._call(replace(request, budget_seconds=budget))
            except RaygateError:
                raise
            except (Exception, asyncio.CancelledError) as error:
                # Serve hands over the cancellation of a call at the replica as if it were ours.
                if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                    raise
                if attempt == self.limits.attempts:
                    raise PoolUnavailable(self.version, attempt, type(error).__name__) from error
                self._counts.retries += 1
                await asyncio.sleep(RETRY_PAUSE_SECONDS * (attempt - 1))
                continue
            if reply.refusal == "schema":
                raise WireMismatch("feature schemas", request.schema_fingerprint, reply.digest)
            if reply.refusal:
                raise DeadlineExceeded(self.limits.deadline_seconds)
            return reply, attempt
        raise AssertionError("unreachable: the last attempt returns or raises")

    @staticmethod
    def _hand_out(batch: list[_Waiting], reply: PoolReply, attempts: int) -> None:
        start = 0
        for waiting in batch:
            end = start + waiting.rows.count
            if not waiting.answer.done():
                errors = {row - start: code for row, code in reply.errors.items() if start <= row < end}
                waiting.answer.set_result(
                    Scores(reply.scores[start:end], errors, reply.path, reply.model_seconds, attempts)
                )
            start = end


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
