"""From a request to its answer: choose the version, check the rows, ask the pool, remember what happened."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from deployments.access.caller import Caller
from deployments.access.roles import Permission
from deployments.contracts.errors import (
    BodyTooLarge,
    DeadlineExceeded,
    FieldProblem,
    InvalidRows,
    Overloaded,
    PoolUnavailable,
    UnknownEndpoint,
    UnknownVersion,
    WireMismatch,
)
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Limits
from deployments.gateway.answer import Answer
from deployments.gateway.cached_scores import scores_of
from deployments.gateway.counters import Counters
from deployments.gateway.dispatch import Clock, Dispatcher
from deployments.gateway.document_line import features_of
from deployments.gateway.document_routes import DocumentPath, document_paths
from deployments.gateway.incoming import Incoming, Progress
from deployments.gateway.problems import problem
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.request_log import RequestLog
from deployments.gateway.row_queue import Scores
from deployments.gateway.row_validation import ValidatedRows, shown_name
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.gateway.shadow import Shadows
from deployments.result_cache.port import ResultCache
from deployments.routing.assignment import Assignment

_POOL_FAILURES = (PoolUnavailable, WireMismatch, DeadlineExceeded, Overloaded)
"""What stable makes good. A model's own error is not among them: it is the version's answer."""


class Scoring:
    """Answers predict requests under the traffic policies in force.

    Args:
        counters: Where every outcome is counted.
        clock: Monotonic seconds, for latencies and deadlines: a step of the wall clock harms neither.
        draw: Uniform random number in [0, 1) for callers without a sticky unit.
        log: Remembers what happened.
        cache: Of results, for the endpoints that want it.
        cached_by_default: Whether endpoints that do not say so want it.
        spend: Counts rows of a caller that are about to be predicted; raises a RaygateError if they are too many.
    """

    def __init__(
        self,
        counters: Counters,
        clock: Clock = time.monotonic,
        draw: Callable[[], float] = random.random,
        log: RequestLog | None = None,
        cache: ResultCache | None = None,
        cached_by_default: bool = False,
        spend: Callable[[Caller, int], None] = lambda caller, rows: None,
    ) -> None:
        self.counters, self.clock = counters, clock
        self.endpoints: Mapping[str, ServedEndpoint] = {}
        self.document_paths: Mapping[str, DocumentPath] = {}
        self.max_body_bytes = Limits().max_body_bytes
        """The largest body that any endpoint accepts: nothing larger is read, whomever it is for."""
        self.log = log or RequestLog()
        self._draw, self._spend = draw, spend
        self._cache, self._cached_by_default = cache, cached_by_default
        self._shadows = Shadows(counters, self.log, clock, draw)

    def serve(self, endpoints: Mapping[str, ServedEndpoint]) -> None:
        """Take over endpoints; a request that is under way keeps the one it began with."""
        limits = [endpoint.policy.limits for endpoint in endpoints.values()] or [Limits()]
        self.max_body_bytes = max(limit.max_body_bytes for limit in limits)
        self.document_paths = document_paths(endpoint.policy for endpoint in endpoints.values())
        self.endpoints = endpoints

    def endpoint(self, name: str) -> ServedEndpoint:
        """The endpoint of a name.

        Raises:
            UnknownEndpoint: There is none.
        """
        found = self.endpoints.get(name)
        if found is None:
            raise UnknownEndpoint(shown_name(name), tuple(sorted(self.endpoints)))
        return found

    async def answer(self, document: RequestDocument, incoming: Incoming) -> Answer:
        """Answer one request.

        Raises:
            RaygateError: Refused or failed; counted already.
        """
        progress = Progress()
        try:
            answer = await self._answer(document, incoming, progress)
        except Exception as error:
            self._failed(incoming, progress, error)
            raise
        seconds = self.clock() - incoming.began
        self.counters.answered(answer.served.counts, answer.endpoint.policy.model, seconds, datetime.now(UTC))
        self.log.answered(answer, incoming, seconds)
        if answer.endpoint.policy.shadows:
            self._shadows.mirror(document, answer, incoming)
        return answer

    def refused(self, error: Exception, seconds: float) -> None:
        """Count a request that was refused before its document was read."""
        self.counters.failed(None, None, problem(error).code, seconds)

    async def _answer(self, document: RequestDocument, incoming: Incoming, progress: Progress) -> Answer:
        endpoint = progress.endpoint = self.endpoint(document.model_id)
        limits = endpoint.policy.limits
        if incoming.size > limits.max_body_bytes:
            raise BodyTooLarge(limits.max_body_bytes)
        if len(document.rows) > limits.max_rows:
            message = f"has {len(document.rows)} rows; at most {limits.max_rows} go into one request"
            raise InvalidRows((FieldProblem("features", message),))
        assignment = self._assign(endpoint, document, incoming)
        self._spend(incoming.caller, len(document.rows))
        progress.assignment = assignment  # from here on a failure is the version's
        deadline = incoming.began + limits.deadline_seconds
        if document.version is not None or assignment.version == endpoint.policy.stable:
            # Who asks for a version wants to know how that one is.
            return await self._ask(assignment.version, "", deadline, document, incoming, progress)
        try:
            own_deadline = incoming.began + limits.failover_share * limits.deadline_seconds
            return await self._ask(assignment.version, "", own_deadline, document, incoming, progress)
        except _POOL_FAILURES as error:
            code = problem(error).code.value
            self.counters.failed_over(
                endpoint.policy.model, assignment.version, code, self.clock() - incoming.began
            )
            return await self._ask(endpoint.policy.stable, code, deadline, document, incoming, progress)

    def _assign(self, endpoint: ServedEndpoint, document: RequestDocument, incoming: Incoming) -> Assignment:
        routes, header, row = endpoint.routes, incoming.header, document.first_row
        if document.version is not None:
            incoming.caller.require(Permission.PIN_VERSION)
            if document.version not in endpoint.policy.versions:
                raise UnknownVersion(str(document.version), tuple(map(str, endpoint.policy.versions)))
            return routes.pinned(document.version, header, row)
        if incoming.champion_only:
            return routes.champion(header, row)
        return routes.assign(header, row, self._draw())

    async def _ask(
        self,
        version: Version,
        failover: str,
        deadline: float,
        document: RequestDocument,
        incoming: Incoming,
        progress: Progress,
    ) -> Answer:
        """Let one version answer."""
        endpoint, assignment = progress.endpoint, progress.assignment
        assert endpoint is not None
        assert assignment is not None
        progress.served = endpoint.versions.get(version)
        served = progress.served = await self._awake(endpoint, version, deadline, document)
        dispatcher, rows = served.queue_for(document)
        if document.text is None:  # what is logged of a document are the features that the pool makes of it
            progress.rows = rows
        # What stable answers in another's place is no draw of its own.
        ids = progress.ids = served.new_ids(rows.count, assignment.by_split and not failover)

        async def ask_pool(positions: list[int] | None = None) -> Scores:
            asked = rows if positions is None else rows.take(positions)
            own_ids = ids if positions is None else [ids[position] for position in positions]
            return await self._ask_pool(
                served, dispatcher, asked, own_ids, deadline, document.explanations, incoming
            )

        if self._cache is not None and self._is_cached(endpoint, document):
            scores = await scores_of(served, rows, self._cache, ask_pool)
        else:
            scores = await ask_pool()
        if scores.documents is not None:
            rows = progress.rows = features_of(served.name, scores.documents)
        self.counters.rows(served.counts, rows.count, scores.errors)
        served.distributions.add(rows, scores.values)
        return Answer(endpoint, assignment, served, failover, ids, rows, scores)

    async def _awake(
        self, endpoint: ServedEndpoint, version: Version, deadline: float, document: RequestDocument
    ) -> ServedVersion:
        """A version whose pool can be asked; one that sleeps is waited for.

        Raises:
            PoolUnavailable: It is known not to answer: nobody waits for it.
            InvalidRows: A row does not fit; nobody is woken for it.
        """
        served = endpoint.versions.get(version)
        if version in endpoint.sleepers and (served is None or endpoint.sleeps(version)):
            if served is not None and document.text is None:
                served.validator.validate(document.rows, document.single)
            served = await endpoint.sleepers[version].awake(deadline - self.clock())
        if served is None or not served.ready:
            raise PoolUnavailable(f"{endpoint.policy.model}_v{version}", 0, "not ready")
        return served

    def _is_cached(self, endpoint: ServedEndpoint, document: RequestDocument) -> bool:
        if document.explanations or document.text is not None:
            return False
        wanted = endpoint.policy.cache.enabled
        return self._cached_by_default if wanted is None else wanted

    async def _ask_pool(
        self,
        served: ServedVersion,
        dispatcher: Dispatcher,
        rows: ValidatedRows,
        ids: list[str],
        deadline: float,
        explain: bool,
        incoming: Incoming,
    ) -> Scores:
        """Ask the version's pool; each caller has a deadline of its own, whoever shares its call."""
        asked = self.clock()
        if asked >= deadline:
            raise DeadlineExceeded(deadline - incoming.began)
        try:
            answer = dispatcher.submit(rows, ids, deadline, incoming.size, explain, incoming.span)
            # A timer of its own: an `asyncio.timeout` around the waiting costs three times as much.
            timer = asyncio.get_running_loop().call_later(deadline - asked, _give_up, answer)
            try:
                scores = await answer
            finally:
                timer.cancel()
        except (TimeoutError, DeadlineExceeded, PoolUnavailable) as error:
            if dispatcher.is_silent_since(asked):
                served.ready = False
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(deadline - incoming.began) from error
            raise
        served.ready = True
        return scores

    def _failed(self, incoming: Incoming, progress: Progress, error: Exception) -> None:
        code, seconds = problem(error).code.value, self.clock() - incoming.began
        version = progress.served.name.version if progress.served else None
        if version is None and progress.assignment:
            version = progress.assignment.version
        model = progress.endpoint.policy.model if progress.endpoint else None
        self.counters.failed(model, None if version is None else str(version), code, seconds)
        self.log.failed(progress, incoming, code, seconds)


def _give_up(answer: asyncio.Future[Scores]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
