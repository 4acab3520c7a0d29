"""Rows on their way to a version's pool: coalesced, bounded, retried.

While the allowed number of calls to a pool is in flight, rows queue and leave together in the next call; with a
free slot they leave at the end of the event loop's turn, so light load pays no wait and rows that come together
stay together. A call that fails in transport is repeated, and Serve's router then picks another replica; an error
of the model is an answer, not a failure, and is never repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any, Protocol

from deployments import tracing
from deployments.contracts.errors import (
    FieldProblem,
    InvalidRows,
    Overloaded,
)
from deployments.contracts.explanations import Explanations, Unexplained
from deployments.contracts.snapshot import VersionCounts
from deployments.contracts.traffic_policy import Limits
from deployments.contracts.wire import PoolReply, PoolRequest
from deployments.gateway.answering_replicas import AnsweringReplicas
from deployments.gateway.attempts import Attempts, Call
from deployments.gateway.pace import Pace
from deployments.gateway.row_queue import RowQueue, Scores, Waiting
from deployments.gateway.row_validation import RowValidator, ValidatedRows
from deployments.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

CALL_BYTES_LIMIT = 3_000_000  # calls between deployments must stay below gRPC's 4 MB
ROW_OVERHEAD_BYTES = 64  # a prediction id and what pickling adds
EXPLAINING_CALLS = 8  # of one gateway to one pool; what comes beyond is predicted and not explained


class Clock(Protocol):
    """Monotonic time in seconds."""

    def __call__(self) -> float:
        """Now."""


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
        spans: Where calls are traced.
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
        spans: Tracing | None = None,
    ) -> None:
        self.version, self.limits, self.replicas = version, limits, replicas
        self.answered_at = float("-inf")
        """Time of the clock at which the pool last answered a call."""
        self._called_at = float("-inf")
        self._counts, self._tracing = counts, spans or Tracing()
        self._row_bytes = ROW_OVERHEAD_BYTES + 9 * len(validator.schema.numeric)
        self._validator, self._call, self._clock, self._gateway = validator, call, clock, gateway
        self._queue, self._pace, self._answering = RowQueue(), Pace(), AnsweringReplicas()
        self._in_flight = 0
        self._rows_in_flight = 0
        self._explaining = 0
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def backlog(self) -> int:
        """Rows that wait or are in flight."""
        return self._queue.rows + self._rows_in_flight

    def is_silent_since(self, moment: float) -> bool:
        """Whether calls were under way since then, and none was answered: without a call there is no silence."""
        was_called = self._called_at >= moment or self._in_flight > 0
        return was_called and self.answered_at < moment

    def redirect(self, call: Call, limits: Limits, replicas: int) -> None:
        """Use another connection and other bounds from the next call on; what waits stays in the queue."""
        self._call, self.limits, self.replicas = call, limits, replicas

    def submit(
        self,
        rows: ValidatedRows,
        ids: list[str],
        deadline: float,
        size: int,
        explain: bool = False,
        span: Span | None = None,
    ) -> asyncio.Future[Scores]:
        """Queue the rows of one request.

        Args:
            rows: At least one row.
            ids: Prediction ids, one a row.
            deadline: Time of the clock after which the caller has gone.
            size: Bytes of the rows, roughly; keeps a call under the transport's limit.
            explain: Whether the rows are to be explained too.
            span: Of the request, if it is traced.

        Returns:
            A future of the scores; it fails with DeadlineExceeded, PoolUnavailable or WireMismatch.

        Raises:
            Overloaded: Too many rows wait already, or they would wait for too long.
            InvalidRows: The rows alone are more than a call may carry.
        """
        size += rows.count * self._row_bytes
        if size > CALL_BYTES_LIMIT:
            message = f"{rows.count} rows of this model are too large for one request; send fewer"
            raise InvalidRows((FieldProblem("features", message),))
        now, limits = self._clock(), self.limits
        wait = self._queue.wait_seconds(now)
        if wait > limits.max_wait_seconds or self._queue.rows + rows.count > limits.max_waiting_rows:
            raise Overloaded(self.version, self._queue.rows)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Scores] = loop.create_future()
        waiting = Waiting(rows, size, ids, now, deadline, answer, explain, span)
        # An explanation takes up to a thousand times as long as a prediction: it has a call of its own.
        if explain and self._explaining < EXPLAINING_CALLS:
            self._explaining += 1
            self._start(self._explained(waiting))
        else:
            self._queue.add(waiting)
            loop.call_soon(self._start_calls)  # behind the others of this turn: requests that come together
        return answer

    async def _explained(self, waiting: Waiting) -> None:
        try:
            await self._send([waiting], waiting.rows.count, explained=True)
        finally:
            self._explaining -= 1

    def _start_calls(self) -> None:
        limits = self.limits
        while self._queue and self._in_flight < limits.calls_in_flight * self.replicas:
            max_rows = self._pace.rows_within(limits.max_call_seconds, limits.max_call_rows)
            batch = self._queue.take(max_rows, CALL_BYTES_LIMIT, self._clock(), limits.deadline_seconds)
            if batch:
                count = sum(waiting.rows.count for waiting in batch)
                self._in_flight += 1
                self._rows_in_flight += count
                self._start(self._coalesced(batch, count))

    async def _coalesced(self, batch: list[Waiting], count: int) -> None:
        began = self._clock()
        try:
            if await self._send(batch, count):
                self._pace.observe(count, self._clock() - began)
        finally:
            self._in_flight -= 1
            self._rows_in_flight -= count
            self._start_calls()

    def _start(self, call: Coroutine[Any, Any, None]) -> None:
        # In no request's context: Serve cancels what a request has called when its caller leaves; others share it.
        task = asyncio.get_running_loop().create_task(call, context=Context())
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _send(self, batch: list[Waiting], count: int, explained: bool = False) -> bool:
        """Make one call and tell everybody in it; whether the pool answered."""
        span = self._tracing.begin_call(self.version, [waiting.span for waiting in batch])
        failure, self._called_at = "", self._clock()
        attempts = Attempts(self.version, self._call, self.limits, self._clock, self._answering)
        try:
            request = self._request(batch, span, explained)
            deadline = max(waiting.deadline for waiting in batch)
            patience = self._pace.patience_seconds(count, self.limits.attempt_seconds)
            if explained:  # the first explanation of a replica loads the whole pipeline, which takes seconds
                patience = self.limits.deadline_seconds
            reply = await attempts.reply(request, deadline, patience)
            self.answered_at = self._clock()
            self._answering.heard(reply.replica, self.answered_at)
            self._counts.model_seconds += reply.model_seconds
            _hand_out(batch, reply, attempts.made, explained)
        except Exception as error:  # whatever happened, every caller is told
            failure = type(error).__name__
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
        finally:
            self._counts.retries += max(0, attempts.made - 1)
            for waiting in batch:  # the task itself was cancelled: the gateway stops
                waiting.answer.cancel()
            tracing.end(span, {"raygate.rows": count}, failure)
        return not failure

    def _request(self, batch: list[Waiting], span: Span | None, alone: bool) -> PoolRequest:
        return PoolRequest(
            schema_fingerprint=self._validator.schema.fingerprint,
            columns=self._validator.join([waiting.rows for waiting in batch]),
            prediction_ids=[prediction_id for waiting in batch for prediction_id in waiting.ids],
            budget_seconds=0.0,  # set at each attempt
            gateway=self._gateway,
            backlog=self.backlog,
            traceparent=tracing.traceparent(span),
            explain=tuple(range(batch[0].rows.count)) if alone else (),
        )


def _hand_out(batch: list[Waiting], reply: PoolReply, attempts: int, explained: bool) -> None:
    """Give each request its part of the reply."""
    start = 0
    for waiting in batch:
        end = start + waiting.rows.count
        if not waiting.answer.done():
            errors = {row - start: code for row, code in reply.errors.items() if start <= row < end}
            waiting.answer.set_result(
                Scores(
                    reply.scores[start:end],
                    errors,
                    reply.path,
                    reply.model_seconds,
                    attempts,
                    reply.explanations if explained else _not_explained(waiting),
                    reply.documents.part(start, end) if reply.documents else None,
                )
            )
        start = end


def _not_explained(waiting: Waiting) -> Explanations | None:
    """For a request whose rows were to be explained while too many others were."""
    if not waiting.explain:
        return None
    return Explanations(unexplained=dict.fromkeys(range(waiting.rows.count), Unexplained.BUSY.value))
