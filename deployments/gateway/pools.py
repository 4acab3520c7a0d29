"""The pools that a gateway knows: found, warmed, watched, kept while policies change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from deployments.contracts import prediction_id
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.contracts.transformation import row_schema
from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest
from deployments.gateway.counters import Counters
from deployments.gateway.dispatch import Clock, Dispatcher
from deployments.gateway.document_line import DocumentLine
from deployments.gateway.row_validation import RowValidator
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.tracing import Tracing

WARM_SECONDS = 10.0
PROBE_SECONDS = 3.0
_log = logging.getLogger("raygate.gateway")


class Pool(Protocol):
    """A version's pool as a gateway reaches it; ``PoolClient`` is the real one."""

    async def describe(self, timeout_seconds: float) -> PoolDescription:
        """Ask some replica what it serves."""
        ...

    async def predict(self, request: PoolRequest) -> PoolReply:
        """Send rows and wait for their scores."""
        ...


Connect = Callable[[str], Awaitable[Pool]]


class Pools:
    """Turns policies into served endpoints.

    Args:
        connect: Finds the pool of an application.
        counters: Where each version's figures are kept.
        clock: Monotonic seconds.
        spans: Where calls are traced.
    """

    def __init__(self, connect: Connect, counters: Counters, clock: Clock, spans: Tracing | None = None) -> None:
        self._connect, self._counters, self._clock, self._spans = connect, counters, clock, spans
        self._clients: dict[ModelVersion, Pool] = {}
        self._served: dict[ModelVersion, ServedVersion] = {}
        self._changing = asyncio.Lock()
        """A probe under old policies must not run into the change to new ones."""

    async def serve(self, policies: tuple[TrafficPolicy, ...]) -> dict[str, ServedEndpoint]:
        """The endpoints under new policies, their pools warmed.

        A version that is known already keeps its queue and its calls in flight. A pool that does not describe
        itself in time is left out: its endpoint serves what it can, and ``probe`` tries again.
        """
        async with self._changing:
            wanted = await self._warm_all(policies, WARM_SECONDS)
            for name in self._served.keys() - wanted:
                del self._served[name]
                self._clients.pop(name, None)
            return self.endpoints(policies)

    def endpoints(self, policies: tuple[TrafficPolicy, ...]) -> dict[str, ServedEndpoint]:
        """The endpoints with the versions that are known now."""
        return {policy.endpoint: ServedEndpoint.under(policy, self._versions(policy)) for policy in policies}

    async def probe(self, policies: tuple[TrafficPolicy, ...]) -> bool:
        """Ask every pool whether it answers.

        Returns:
            Whether the set of versions changed, so that the endpoints must be made anew.
        """
        if self._changing.locked():
            return False
        async with self._changing:
            before = {name: id(served) for name, served in self._served.items()}
            await self._warm_all(policies, PROBE_SECONDS)
            return before != {name: id(served) for name, served in self._served.items()}

    def _versions(self, policy: TrafficPolicy) -> dict[Version, ServedVersion]:
        found = {version: self._served.get(ModelVersion(policy.model, version)) for version in policy.versions}
        return {version: served for version, served in found.items() if served is not None}

    async def _warm_all(self, policies: tuple[TrafficPolicy, ...], timeout_seconds: float) -> set[ModelVersion]:
        """Ask the pools of all versions what they serve; returns the versions."""
        wanted = {
            ModelVersion(policy.model, version): policy for policy in policies for version in policy.versions
        }
        await asyncio.gather(*(self._warm(name, policy, timeout_seconds) for name, policy in wanted.items()))
        return set(wanted)

    async def _warm(self, name: ModelVersion, policy: TrafficPolicy, timeout_seconds: float) -> None:
        began = self._clock()
        try:
            client = self._clients.get(name) or await self._connect(str(name))
            self._clients[name] = client
            described = await client.describe(timeout_seconds)
        except Exception as error:  # whatever keeps a pool from answering, the others go on
            _log.warning("pool %s does not describe itself: %s", name, type(error).__name__)
            # One replica may be the one that was asked and is gone, while the others answer.
            if name in self._served and self._served[name].dispatcher.answered_at < began:
                self._served[name].ready = False
            self._clients.pop(name, None)
            return
        known = self._served.get(name)
        if known is not None and known.digest == described.digest:
            known.ready = True
            known.dispatcher.redirect(client.predict, policy.limits, policy.replicas.get(name.version, 1))
            known.documents = self._document_line(known.documents, name, described, client, policy)
        else:
            self._served[name] = self._describe(name, described, client, policy)

    def _describe(
        self, name: ModelVersion, described: PoolDescription, client: Pool, policy: TrafficPolicy
    ) -> ServedVersion:
        validator = RowValidator(described.schema)
        counts = self._counters.of(name.model, str(name.version))
        dispatcher = self._dispatcher(name, validator, client, policy)
        return ServedVersion(
            name,
            described.digest,
            described.metadata,
            validator,
            dispatcher,
            counts,
            self._counters.distributions(name, described),
            prediction_id.tag_of(policy.endpoint, name.version),
            documents=self._document_line(None, name, described, client, policy),
        )

    def _document_line(
        self,
        known: DocumentLine | None,
        name: ModelVersion,
        described: PoolDescription,
        client: Pool,
        policy: TrafficPolicy,
    ) -> DocumentLine | None:
        """How documents are sent to a pool; the line that is known stays, with its queue, while it is the same."""
        if policy.documents is None or described.documents is None:
            return None
        if known is not None and (known.named, known.schemas) == (policy.documents, described.documents):
            known.dispatcher.redirect(client.predict, policy.limits, policy.replicas.get(name.version, 1))
            return known
        validator = RowValidator(row_schema(policy.documents.pre, policy.documents.post))
        dispatcher = self._dispatcher(name, validator, client, policy)
        return DocumentLine(policy.documents, described.documents, dispatcher)

    def _dispatcher(
        self, name: ModelVersion, validator: RowValidator, client: Pool, policy: TrafficPolicy
    ) -> Dispatcher:
        return Dispatcher(
            str(name),
            validator,
            client.predict,
            policy.limits,
            self._clock,
            self._counters.gateway,
            self._counters.of(name.model, str(name.version)),
            policy.replicas.get(name.version, 1),
            self._spans,
        )
