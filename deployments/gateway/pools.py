"""The pools that a gateway knows: found, warmed, watched, kept while policies change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol, TypeVar

from deployments.contracts import prediction_id
from deployments.contracts.errors import PoolUnavailable
from deployments.contracts.model_version import ModelVersion, Version
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.contracts.transformation import row_schema
from deployments.contracts.wire import PoolDescription, PoolReply, PoolRequest
from deployments.gateway.counters import Counters
from deployments.gateway.dispatch import Clock, Dispatcher
from deployments.gateway.document_line import DocumentLine
from deployments.gateway.row_validation import RowValidator
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.gateway.sleeper import Sleeper
from deployments.tracing import Tracing

WARM_SECONDS = 10.0
PROBE_SECONDS = 3.0
WAKE_SECONDS = 60.0  # a node may have to be started; whoever asks gives up at a deadline of their own
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
Asleep = Callable[[], Awaitable[frozenset[str]]]
Found = TypeVar("Found")


async def _none() -> frozenset[str]:
    return frozenset()


class Pools:
    """Turns policies into served endpoints.

    Args:
        connect: Finds the pool of an application.
        counters: Where each version's figures are kept.
        clock: Monotonic seconds.
        spans: Where calls are traced.
        asleep: Names the applications without a replica; asked only where a pool may have none.
    """

    def __init__(
        self,
        connect: Connect,
        counters: Counters,
        clock: Clock,
        spans: Tracing | None = None,
        asleep: Asleep = _none,
    ) -> None:
        self._connect, self._counters, self._clock, self._spans = connect, counters, clock, spans
        self._asleep = asleep
        self._wanted: dict[ModelVersion, TrafficPolicy] = {}
        self._sleepers: dict[ModelVersion, Sleeper] = {}
        self._clients: dict[ModelVersion, Pool] = {}
        self._served: dict[ModelVersion, ServedVersion] = {}
        self._shown: dict[ModelVersion, int] = {}
        self._changing = asyncio.Lock()
        """A probe under old policies must not run into the change to new ones."""

    async def serve(self, policies: tuple[TrafficPolicy, ...]) -> dict[str, ServedEndpoint]:
        """The endpoints under new policies, their pools warmed.

        A version that is known already keeps its queue and its calls in flight. A pool that does not describe
        itself in time is left out: its endpoint serves what it can, and ``probe`` tries again. One that sleeps is
        let alone.
        """
        async with self._changing:
            await self._warm_all(policies, WARM_SECONDS, sleepers_too=True)
            for name in self._served.keys() - self._wanted.keys():
                del self._served[name]
                self._clients.pop(name, None)
            return self.endpoints(policies)

    def endpoints(self, policies: tuple[TrafficPolicy, ...]) -> dict[str, ServedEndpoint]:
        """The endpoints with the versions that are known now."""
        self._shown = self._known()
        return {
            policy.endpoint: ServedEndpoint.under(
                policy, _of(policy, self._served), sleepers=_of(policy, self._sleepers)
            )
            for policy in policies
        }

    async def probe(self, policies: tuple[TrafficPolicy, ...]) -> bool:
        """Ask every pool that does not sleep whether it answers.

        Returns:
            Whether the set of versions has changed, so that the endpoints must be made anew.
        """
        if self._changing.locked():
            return False
        async with self._changing:
            await self._warm_all(policies, PROBE_SECONDS)
            return self._shown != self._known()

    def _known(self) -> dict[ModelVersion, int]:
        """Identities of the versions that are known now."""
        return {name: id(served) for name, served in self._served.items()}

    async def _warm_all(
        self, policies: tuple[TrafficPolicy, ...], timeout_seconds: float, *, sleepers_too: bool = False
    ) -> None:
        """Ask the pools of all versions what they serve; of those that may sleep only where it must be."""
        self._wanted = {
            ModelVersion(policy.model, version): policy for policy in policies for version in policy.versions
        }
        self._sleepers = {
            name: self._sleepers.get(name) or Sleeper(str(name), partial(self._wake, name))
            for name, policy in self._wanted.items()
            if policy.may_sleep(name.version)
        }
        others = self._wanted.keys() - self._sleepers.keys()
        await asyncio.gather(
            self._warm_sleepers(timeout_seconds, all_awake=sleepers_too),
            *(self._warm(name, timeout_seconds) for name in others),
        )

    async def _warm_sleepers(self, timeout_seconds: float, all_awake: bool) -> None:
        """Ask those that are awake, but not again and again: one that goes to sleep meanwhile would be woken.

        None are asked while Serve does not say which sleep.
        """
        if not self._sleepers:
            return
        try:
            asleep = await self._asleep()
        except Exception as error:
            _log.warning("Serve does not say which pools sleep: %s", type(error).__name__)
            return
        due = []
        for name, sleeper in self._sleepers.items():
            is_known = name in self._served and self._served[name].ready and not sleeper.asleep
            sleeper.asleep = str(name) in asleep
            if not sleeper.asleep and (all_awake or not is_known):
                due.append(name)
        await asyncio.gather(*(self._warm(name, timeout_seconds) for name in due))

    async def _wake(self, name: ModelVersion) -> ServedVersion:
        """A version whose pool has answered by now, however long that took.

        Raises:
            PoolUnavailable: No policy names the version any more.
            TimeoutError: It took strangely long; whatever else keeps it from answering is raised, too.
        """
        await self._meet(name, WAKE_SECONDS)
        if name in self._sleepers:
            self._sleepers[name].asleep = False
        return self._served[name]

    async def _warm(self, name: ModelVersion, timeout_seconds: float) -> None:
        began = self._clock()
        try:
            await self._meet(name, timeout_seconds)
        except Exception as error:  # whatever keeps a pool from answering, the others go on
            _log.warning("pool %s does not describe itself: %s", name, type(error).__name__)
            # One replica may be the one that was asked and is gone, while the others answer.
            if name in self._served and self._served[name].dispatcher.answered_at < began:
                self._served[name].ready = False

    async def _meet(self, name: ModelVersion, timeout_seconds: float) -> None:
        """Let a pool say what it serves; raises whatever keeps it from that."""
        try:
            client = self._clients.get(name) or await self._connect(str(name))
            self._clients[name] = client
            described = await client.describe(timeout_seconds)
        except BaseException:
            self._clients.pop(name, None)
            raise
        policy, known = self._wanted.get(name), self._served.get(name)
        if policy is None:
            raise PoolUnavailable(str(name), 1, "gone")
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
            prediction_id.tag_of(policy.endpoint, name.version, by_split=True),
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


def _of(policy: TrafficPolicy, found: Mapping[ModelVersion, Found]) -> dict[Version, Found]:
    """What of the versions of a policy is there."""
    own = {version: ModelVersion(policy.model, version) for version in policy.versions}
    return {version: found[name] for version, name in own.items() if name in found}
