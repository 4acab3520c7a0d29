"""Rows that wait for a call to their version's pool."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.contracts.document_reply import DocumentReply
from deployments.contracts.errors import DeadlineExceeded
from deployments.contracts.explanations import Explanations
from deployments.contracts.wire import Floats
from deployments.gateway.pace import Drain
from deployments.gateway.row_validation import ValidatedRows

if TYPE_CHECKING:
    from opentelemetry.trace import Span


@dataclass(frozen=True, slots=True)
class Scores:
    """The pool's answer for the rows of one request.

    Attributes:
        values: float64, shape (rows, classes or 1).
        errors: Why a row has no score, by its position in the request.
        path: ``compiled`` or ``native``; empty where no pool was asked.
        model_seconds: Model time of the whole call, other callers' rows included.
        attempts: Calls that were made until the answer came.
        explanations: Of the rows, if they were asked for and the pool knows how.
        documents: What became of the rows where they are documents.
    """

    values: Floats
    errors: dict[int, str]
    path: str
    model_seconds: float
    attempts: int
    explanations: Explanations | None = None
    documents: DocumentReply | None = None


@dataclass(slots=True)
class Waiting:
    """The rows of one request.

    Attributes:
        size: Bytes on the wire, roughly.
        ids: Prediction ids, one a row.
        arrived: Time of the clock at which they came.
        deadline: Time of the clock after which nobody waits for them.
        answer: Where the scores go.
        explain: Whether the rows are to be explained.
        span: Of the request, if it is traced.
    """

    rows: ValidatedRows
    size: int
    ids: list[str]
    arrived: float
    deadline: float
    answer: asyncio.Future[Scores]
    explain: bool = False
    span: Span | None = None


class RowQueue:
    """First come, first served; belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._drain = Drain(0.0)
        self.rows = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, waiting: Waiting) -> None:
        """Queue the rows of a request."""
        if not self._waiting:
            self._drain = Drain(waiting.arrived)
        self._waiting.append(waiting)
        self.rows += waiting.rows.count

    def wait_seconds(self, now: float) -> float:
        """How long a request that comes now has to wait, as far as can be told; 0 if none waits.

        At least as long as the first has waited already; longer, where more rows wait than left lately in that
        time. Without the second, a queue that fills at four times the pool's rate would hold four times the wait
        by the time at which its first row shows it.
        """
        if not self._waiting:
            return 0.0
        waited = now - self._waiting[0].arrived
        rate = self._drain.rows_per_second
        return waited if rate is None else max(waited, self.rows / rate)

    def take(self, max_rows: int, max_bytes: int, now: float, deadline_seconds: float) -> list[Waiting]:
        """Take as much as one call holds: at least one request, without those whose caller has gone.

        Args:
            max_rows: Of the call; a single request may have more.
            max_bytes: Of the call.
            now: Time of the clock. What has expired is told so.
            deadline_seconds: What its callers are told that they waited for.
        """
        batch: list[Waiting] = []
        rows = size = 0
        waited = self.rows
        while self._waiting:
            first = self._waiting[0]
            if batch and (rows + first.rows.count > max_rows or size + first.size > max_bytes):
                break
            self._waiting.popleft()
            self.rows -= first.rows.count
            if first.answer.done():
                continue
            if first.deadline <= now:
                first.answer.set_exception(DeadlineExceeded(deadline_seconds))
                continue
            batch.append(first)
            rows += first.rows.count
            size += first.size
        self._drain.took(waited - self.rows, now)
        return batch
