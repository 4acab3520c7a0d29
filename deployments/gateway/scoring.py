"""From a request to its answer: choose the version, check the rows, ask the pool, tell the caller."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uuid_utils

from deployments.contracts.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    FieldProblem,
    InvalidRows,
    PoolUnavailable,
    RowFailed,
    UnknownEndpoint,
)
from deployments.contracts.traffic_policy import Limits
from deployments.gateway.counters import Counters
from deployments.gateway.dispatch import Clock, Scores
from deployments.gateway.problems import problem, row_problem
from deployments.gateway.request_document import RequestDocument, read
from deployments.gateway.row_validation import ValidatedRows, shown_name
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.routing.assignment import assign

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class _Progress:
    """How far a request came, so that a failure is counted where it belongs."""

    model: str | None = None
    version: str | None = None


class Scoring:
    """Answers predict requests under the traffic policies in force.

    Args:
        counters: Where every outcome is counted.
        clock: Monotonic seconds, for latencies and deadlines: a step of the wall clock harms neither.
        draw: Uniform random number in [0, 1) for callers without a sticky unit.
    """

    def __init__(
        self, counters: Counters, clock: Clock = time.monotonic, draw: Callable[[], float] = random.random
    ) -> None:
        self.counters = counters
        self.endpoints: Mapping[str, ServedEndpoint] = {}
        self.max_body_bytes = Limits().max_body_bytes
        """The largest body that any endpoint accepts: nothing larger is read, whomever it is for."""
        self._clock, self._draw = clock, draw

    def serve(self, endpoints: Mapping[str, ServedEndpoint]) -> None:
        """Take over endpoints; a request that is under way keeps the one it began with."""
        limits = [endpoint.policy.limits for endpoint in endpoints.values()] or [Limits()]
        self.max_body_bytes = max(limit.max_body_bytes for limit in limits)
        self.endpoints = endpoints

    async def predict(self, body: bytes, headers: Headers) -> dict[str, Any]:
        """Answer one request.

        Returns:
            The document of ``PredictResponse`` or ``PredictRowsResponse``.

        Raises:
            RaygateError: Refused or failed; counted already.
        """
        began = self._clock()
        progress = _Progress()
        try:
            return await self._answer(body, headers, began, progress)
        except Exception as error:
            code = problem(error).code
            self.counters.failed(progress.model, progress.version, code, self._clock() - began)
            raise

    def refused(self, error: Exception, seconds: float) -> None:
        """Count a request that was refused before its body was read."""
        self.counters.failed(None, None, problem(error).code, seconds)

    async def _answer(self, body: bytes, headers: Headers, began: float, progress: _Progress) -> dict[str, Any]:
        document = read(body)
        endpoint = self.endpoints.get(document.model_id)
        if endpoint is None:
            raise UnknownEndpoint(shown_name(document.model_id), tuple(sorted(self.endpoints)))
        progress.model = endpoint.policy.model
        if len(body) > endpoint.policy.limits.max_body_bytes:
            raise BodyTooLarge(endpoint.policy.limits.max_body_bytes)
        served = self._choose(endpoint, document, headers, progress)
        rows = _checked(served, document, endpoint.policy.limits)
        ids = [str(uuid_utils.uuid7()) for _ in range(rows.count)]
        deadline = began + endpoint.policy.limits.deadline_seconds
        scores = await self._scores(served, rows, ids, deadline, len(body))
        answer: dict[str, Any] = (
            _single_answer(served, document, scores.values[0].tolist(), scores.errors.get(0), ids[0])
            if document.single
            else _rows_answer(served, document, scores.values.tolist(), scores.errors, ids)
        )
        now = datetime.now(UTC)
        answer["timestamp"] = now
        if rows.unseen:
            answer["warnings"] = _told(rows)
        self.counters.answered(served.counts, endpoint.policy.model, self._clock() - began, now)
        return answer

    async def _scores(
        self, served: ServedVersion, rows: ValidatedRows, ids: list[str], deadline: float, size: int
    ) -> Scores:
        """Ask the version's pool; each caller has a deadline of its own, whoever shares its call."""
        try:
            async with asyncio.timeout(deadline - self._clock()):
                scores = await served.dispatcher.submit(rows, ids, deadline, size)
        except TimeoutError as error:
            raise DeadlineExceeded(served.dispatcher.limits.deadline_seconds) from error
        served.ready = True
        self.counters.rows(served.counts, rows.count, scores.errors)
        return scores

    def _choose(
        self, endpoint: ServedEndpoint, document: RequestDocument, headers: Headers, progress: _Progress
    ) -> ServedVersion:
        unit = _sticky_unit(endpoint, document, headers)
        version = assign(endpoint.table, unit, endpoint.policy.salt, self._draw()).version
        progress.version = str(version)
        served = endpoint.versions.get(version)
        if served is None:  # the policy names it, but its pool has not described itself yet
            raise PoolUnavailable(str(version), 0, "not described")
        return served


def _sticky_unit(endpoint: ServedEndpoint, document: RequestDocument, headers: Headers) -> str | None:
    """Who must keep a version: the value of the header, or of the feature in the first row."""
    if endpoint.sticky_header:
        for name, value in headers:
            if name == endpoint.sticky_header:
                return value.decode("latin-1")
    elif endpoint.sticky_feature and type(document.rows[0]) is dict:
        unit = document.rows[0].get(endpoint.sticky_feature)
        # Anything else is no unit; the row is about to be refused for it.
        return str(unit) if isinstance(unit, str | int | float) else None
    return None


def _checked(served: ServedVersion, document: RequestDocument, limits: Limits) -> ValidatedRows:
    if len(document.rows) > limits.max_rows:
        message = f"has {len(document.rows)} rows; at most {limits.max_rows} go into one request"
        raise InvalidRows((FieldProblem("features", message),))
    return served.validator.validate(document.rows, document.single)


def _single_answer(
    served: ServedVersion, document: RequestDocument, scores: list[float], failure: str | None, prediction_id: str
) -> dict[str, Any]:
    if failure is not None:
        raise RowFailed(str(served.name), failure)
    return {
        "model_id": document.model_id,
        "model_version": served.text,
        **served.read(scores, document.probabilities),
        "prediction_id": prediction_id,
    }


def _rows_answer(
    served: ServedVersion,
    document: RequestDocument,
    scores: list[list[float]],
    failures: dict[int, str],
    ids: list[str],
) -> dict[str, Any]:
    """One entry a row; a row that the model could not score carries an error, its neighbours their answers."""
    predictions: list[dict[str, Any]] = []
    for position, (row, prediction_id) in enumerate(zip(scores, ids, strict=True)):
        failure = failures.get(position)
        entry: dict[str, Any] = (
            served.read(row, document.probabilities)
            if failure is None
            else {"prediction": None, "error": row_problem(failure).document()}
        )
        entry["prediction_id"] = prediction_id
        predictions.append(entry)
    return {"model_id": document.model_id, "model_version": served.text, "predictions": predictions}


def _told(rows: ValidatedRows) -> list[dict[str, Any]]:
    return [
        {"row": position, "field": name, "message": "training never saw this category"}
        for position, name in rows.unseen
    ]
