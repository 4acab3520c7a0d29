"""Reads, asks, writes, commits: one worker of a stream. What it must not lose it only commits when it is out."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deployments.contracts.errors import RaygateError
from deployments.contracts.metric_names import OK
from deployments.streaming.figures import StreamFigures
from deployments.streaming.gateway_calls import GatewayCalls
from deployments.streaming.partition_ledger import PartitionLedger
from deployments.streaming.record import Outgoing, Partition, Record
from deployments.streaming.stream_file import PredictionStream
from deployments.streaming.topics import Revoked, Topics

COMMIT_SECONDS = 0.5
LEAVE_SECONDS = 10.0
"""How long partitions are kept for what is under way when they go to another worker."""
WORTH_READING = 4
"""Records are read when a fourth of the places is free."""
MOST_WAITING = 4
"""So many times as many records are read as may be under way, while most wait behind others of their key.

Else those behind one that is asked about for minutes would take the places of all keys.
"""
_FULL_SECONDS = 1.0


@dataclass
class _Share:
    """What a worker has of one partition, as long as the partition is its own.

    Attributes:
        ledger: What is under way and what is out.
        waiting: Records behind others of their key, by offset.
        begun: Of the records that are under way, by offset.
        committed: The position that was committed last.
    """

    ledger: PartitionLedger = field(default_factory=PartitionLedger)
    waiting: dict[int, Record] = field(default_factory=dict)
    begun: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    committed: int | None = None


class StreamWorker:
    """One worker of a stream; made on the loop that runs it, it has its topics open until it has run.

    Args:
        stream: What it does.
        calls: Asks the gateway.
        figures: Counts.
        open_topics: Opens the topics, given what is to be called when partitions go.
        now: Unix time.

    Raises:
        ClientOptionRefused: The Kafka client does not know an option of the stream.
    """

    def __init__(
        self,
        stream: PredictionStream,
        calls: GatewayCalls,
        figures: StreamFigures,
        open_topics: Callable[[PredictionStream, Revoked], Topics] = Topics,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._stream, self._calls, self._figures = stream, calls, figures
        self._now = now
        self._shares: dict[Partition, _Share] = {}
        self._moved = asyncio.Event()
        self._failure: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._topics = open_topics(stream, self._revoked)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until it is to stop, then finish what is under way.

        Raises:
            RaygateError: What no worker can go on with. Records that are not out come again.
        """
        try:
            committed_at = self._loop.time()
            while not stopping.is_set() and self._failure is None:
                await self._read()
                if self._loop.time() - committed_at >= COMMIT_SECONDS:
                    committed_at = self._loop.time()
                    await asyncio.to_thread(self._commit, self._moved_on())
            positions = await self._leave(list(self._shares), LEAVE_SECONDS)
            await asyncio.to_thread(self._topics.commit, positions)
        finally:
            await asyncio.to_thread(self._topics.close)
        if self._failure is not None:
            raise self._failure

    async def _read(self) -> None:
        """Take in as many records as there is room for; with little, wait for more, and stay in the group.

        Each reading takes a thread's turn, so it is not done for a record or two while others wait in the topic.
        """
        most = self._stream.spec.max_in_flight
        begun = sum(len(share.begun) for share in self._shares.values())
        room = min(most - begun, MOST_WAITING * most - self._in_flight)
        if room < max(1, most // WORTH_READING) and await self._something_moves(_FULL_SECONDS):
            return
        for record in await asyncio.to_thread(self._topics.read, room):
            share = self._shares.setdefault(record.partition, _Share())
            if share.ledger.read(record.offset, record.key):
                self._begin(share, record)
            else:
                share.waiting[record.offset] = record
        self._figures.in_flight = self._in_flight

    @property
    def _in_flight(self) -> int:
        return sum(len(share.ledger) for share in self._shares.values())

    async def _something_moves(self, seconds: float) -> bool:
        """Whether a record came out, or anything failed, within some seconds."""
        self._moved.clear()
        try:
            await asyncio.wait_for(self._moved.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _begin(self, share: _Share, record: Record) -> None:
        share.begun[record.offset] = asyncio.create_task(self._handle(share, record))

    async def _handle(self, share: _Share, record: Record) -> None:
        try:
            outgoing = await self._calls.outgoing(record)
            self._topics.write(outgoing, record.key, functools.partial(self._delivered, share, record))
        except Exception as error:
            self._fail(error)
            return
        following = share.ledger.sent(record.key)
        if following in share.waiting:  # none waits any more where the partition is being left
            self._begin(share, share.waiting.pop(following))

    def _delivered(self, share: _Share, record: Record, outgoing: Outgoing, problem: RaygateError | None) -> None:
        """Called by the thread of deliveries."""
        self._loop.call_soon_threadsafe(self._out, share, record, outgoing, problem)

    def _out(self, share: _Share, record: Record, outgoing: Outgoing, problem: RaygateError | None) -> None:
        if problem is not None:
            self._fail(problem)
            return
        share.begun.pop(record.offset, None)
        share.ledger.acknowledged(record.offset)
        seconds = max(0.0, self._now() - record.created) if record.created else 0.0
        self._figures.out(outgoing.code or OK, seconds)
        self._moved.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._moved.set()

    def _moved_on(self) -> dict[Partition, int]:
        """Positions that were not committed yet; looked up on the loop, which changes them."""
        return {
            partition: position
            for partition, share in self._shares.items()
            if (position := share.ledger.position) is not None and position != share.committed
        }

    def _commit(self, changed: dict[Partition, int]) -> None:
        """Called on a thread while nothing is read, so that the Kafka client has one caller at a time."""
        if self._topics.commit(changed):
            for partition, position in changed.items():
                self._shares[partition].committed = position
        self._figures.lag = self._topics.lag()

    def _revoked(self, partitions: list[Partition], lost: bool) -> Mapping[Partition, int]:
        """Called by the thread that reads; the loop goes on with what is under way meanwhile."""
        leaving = self._leave(partitions, 0.0 if lost else LEAVE_SECONDS)
        return asyncio.run_coroutine_threadsafe(leaving, self._loop).result()

    async def _leave(self, partitions: list[Partition], seconds: float) -> dict[Partition, int]:
        """Finish what has begun in some partitions, as far as it can be in time, and forget them.

        What has not begun is left to whoever reads them next. What does not end in time is cancelled, so that its
        result does not come out behind those of the next reader.

        Returns:
            The positions to commit.
        """
        left = {partition: share for partition in partitions if (share := self._shares.get(partition))}
        for share in left.values():
            share.waiting.clear()
        deadline = self._loop.time() + seconds
        while self._failure is None and any(share.begun for share in left.values()):
            if not await self._something_moves(max(0.0, deadline - self._loop.time())):
                break
        for partition, share in left.items():
            for task in share.begun.values():
                task.cancel()
            self._shares.pop(partition, None)
            self._figures.lag.pop(partition, None)
        return {name: share.ledger.position for name, share in left.items() if share.ledger.position is not None}
