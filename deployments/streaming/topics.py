"""Kafka: reads records, writes what goes out for them, commits what is out. Nothing else knows the client."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from deployments.streaming.errors import (
    BrokersRefuse,
    ClientOptionRefused,
    NotDelivered,
    TopicUnreadable,
    TopicUnwritable,
)
from deployments.streaming.record import TOO_LARGE, Outgoing, Partition, Record
from deployments.streaming.stream_file import PredictionStream

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

Delivered = Callable[[Outgoing, NotDelivered | TopicUnwritable | None], None]
Revoked = Callable[[list[Partition], bool], Mapping[Partition, int]]
WAIT_SECONDS = 0.1
ASK_SECONDS = 1.0
"""How long brokers are waited for that are asked for figures."""
_AT_THE_END = frozenset({"latest", "largest", "end"})
GATHER_SECONDS = 0.01
"""How long records are gathered after the first: the gateway joins rows that reach it together."""
_READ_AT_ONCE = 500
_CONSUMER = {
    "auto.offset.reset": "earliest",  # a new group begins with what is there: nothing is skipped
    "enable.auto.commit": False,
    "session.timeout.ms": 10_000,  # a killed worker's partitions are with another after this
    "heartbeat.interval.ms": 2_000,
}
_PRODUCER = {
    "enable.idempotence": True,  # results keep their order when a broker has to be asked again
    "linger.ms": 1,  # results of a call are written together: they need not wait for one another
    "compression.type": "lz4",
}
_OF_PRODUCERS_ALONE = ("linger.", "batch.", "compression.", "queue.buffering.", "delivery.", "message.timeout")
_OF_CONSUMERS_ALONE = ("session.", "heartbeat.", "fetch.", "auto.offset", "partition.assignment", "max.poll")
_log = logging.getLogger("raygate.stream")


class Topics:
    """The topics of a stream.

    ``read`` and ``commit`` block and belong to one thread at a time; ``write`` may be called by any.

    Args:
        stream: Names them.
        revoked: Called by ``read`` when partitions go to another worker, with whether they are lost already; gives
            the positions to commit before they go.

    Raises:
        ClientOptionRefused: The client does not know an option of the stream.
    """

    def __init__(self, stream: PredictionStream, revoked: Revoked) -> None:
        import confluent_kafka

        self._kafka, self._stream, self._revoked = confluent_kafka, stream, revoked
        self._refused: BrokersRefuse | None = None
        common = {
            "bootstrap.servers": stream.spec.brokers,
            "client.id": f"raygate-{stream.name}",
            "error_cb": self._on_error,
        }
        options = stream.resolved_options()
        try:
            self._consumer: Consumer = confluent_kafka.Consumer(
                {**common, **_CONSUMER, **_without(options, _OF_PRODUCERS_ALONE), "group.id": stream.group}
            )
            self._producer = confluent_kafka.Producer(
                {**common, **_PRODUCER, **_without(options, _OF_CONSUMERS_ALONE)}
            )
        except confluent_kafka.KafkaException as error:
            raise ClientOptionRefused(error.args[0].str()) from error
        self._begins_at_the_end = options.get("auto.offset.reset") in _AT_THE_END
        self._held = False
        self._gone: set[Partition] = set()
        self._closed = threading.Event()
        self._consumer.subscribe(
            [stream.spec.input], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        self._deliveries = threading.Thread(target=self._deliver, name="deliveries", daemon=True)
        self._deliveries.start()

    def read(self, room: int) -> list[Record]:
        """The next records, at most so many; waits a little for the first. Without room it stays in the group.

        Raises:
            TopicUnreadable: The brokers refuse.
            BrokersRefuse: They do not take the client's credentials.
        """
        if self._refused is not None:
            raise self._refused
        if (room <= 0) is not self._held:
            self._hold(room <= 0)
        self._gone.clear()
        first = self._consumer.poll(WAIT_SECONDS)
        if first is None:
            return []
        more = self._consumer.consume(min(room, _READ_AT_ONCE) - 1, GATHER_SECONDS) if room > 1 else []
        records = [record for message in (first, *more) if (record := self._record(message)) is not None]
        return [record for record in records if record.partition not in self._gone]

    def write(self, outgoing: Outgoing, key: bytes | None, delivered: Delivered) -> None:
        """Hand over what goes out; ``delivered`` is called by any thread when it is safe, or cannot be.

        What is too large for the brokers goes to the rejected topic instead, without its value.
        """

        def on_delivery(error: KafkaError | None, message: Message | None) -> None:
            too_large = error is not None and error.code() == self._kafka.KafkaError.MSG_SIZE_TOO_LARGE
            if too_large and outgoing.code != TOO_LARGE:
                self.write(outgoing.too_large(self._stream.spec.rejected), key, delivered)
            else:
                delivered(outgoing, None if error is None else self._not_written(outgoing.topic, error))

        try:
            self._producer.produce(
                outgoing.topic, outgoing.value, key, on_delivery=on_delivery, headers=outgoing.headers
            )
        except self._kafka.KafkaException as error:
            on_delivery(error.args[0], None)

    def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Let the group begin there the next time; False if that was not taken, and what is behind comes again."""
        if not positions:
            return True
        offsets = [self._kafka.TopicPartition(*where, position) for where, position in positions.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except self._kafka.KafkaException as error:
            _log.warning("offsets were not committed: %s", error)
            return False
        return True

    def lag(self) -> dict[Partition, int]:
        """Records of each partition of this worker that were not read yet; without what nobody can tell now."""
        found = {}
        try:
            for place in self._positions():
                low, end = self._watermarks(place)
                begin = place.offset if place.offset >= 0 else end if self._begins_at_the_end else low
                found[Partition(place.topic, place.partition)] = max(0, end - max(begin, low))
        except self._kafka.KafkaException as error:
            _log.warning("the lag of %s is not known: %s", self._stream.spec.input, error)
        return found

    def close(self) -> None:
        """Leave the group; what was written is out or was not committed."""
        self._producer.flush(10)
        self._closed.set()
        self._deliveries.join()
        self._consumer.close()

    def _deliver(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(WAIT_SECONDS)

    def _positions(self) -> list[TopicPartition]:
        """Where reading goes on; below 0 where the group has never been.

        The client knows it of partitions of which it has read. A full worker may have got some long before that.
        """
        known = self._consumer.position(self._consumer.assignment())
        unread = [place for place in known if place.offset < 0]
        committed = self._consumer.committed(unread, ASK_SECONDS) if unread else []
        return [place for place in known if place.offset >= 0] + committed

    def _watermarks(self, place: TopicPartition) -> tuple[int, int]:
        """Offsets of the first record and behind the last; what the client knows is of its last fetch.

        Raises:
            KafkaException: The brokers do not answer.
        """
        if not self._held:
            low, end = self._consumer.get_watermark_offsets(place, cached=True)
            if low >= 0 and end >= 0:
                return low, end
        return self._consumer.get_watermark_offsets(place, ASK_SECONDS)

    def _hold(self, held: bool) -> None:
        change = self._consumer.pause if held else self._consumer.resume
        change(self._consumer.assignment())
        self._held = held

    def _not_written(self, topic: str, error: KafkaError) -> NotDelivered | TopicUnwritable:
        known = self._kafka.KafkaError
        if error.code() in (known.TOPIC_AUTHORIZATION_FAILED, known.CLUSTER_AUTHORIZATION_FAILED):
            return TopicUnwritable(topic, error.str())
        return NotDelivered(topic, error.str())

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        if error is not None:
            if error.fatal() or error.code() in (
                self._kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED,
                self._kafka.KafkaError.GROUP_AUTHORIZATION_FAILED,
            ):
                raise TopicUnreadable(self._stream.spec.input, error.str())
            _log.warning("reading %s: %s", self._stream.spec.input, error.str())
            return None
        topic, number, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert number is not None
        assert offset is not None
        kind, milliseconds = message.timestamp()
        created = 0.0 if kind == self._kafka.TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
        return Record(Partition(topic, number), offset, message.key(), message.value(), created)

    def _on_error(self, error: KafkaError) -> None:
        """Called by any thread; the client itself would try for ever."""
        if error.code() == self._kafka.KafkaError._AUTHENTICATION:
            self._refused = BrokersRefuse(self._stream.spec.brokers, error.str())
        else:
            _log.warning("the brokers %s: %s", self._stream.spec.brokers, error.str())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._held:  # new partitions begin unpaused; those that stay (cooperative-sticky) must be so too
            consumer.resume(consumer.assignment())
            self._held = False
        self._gone.difference_update(_named(partitions))
        _log.info("partitions %s", sorted(place.partition for place in partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._gone.update(_named(partitions))  # what was read of them before belongs to somebody else now
        self.commit(self._revoked(_named(partitions), False))

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._gone.update(_named(partitions))
        self._revoked(_named(partitions), True)


def _named(partitions: list[TopicPartition]) -> list[Partition]:
    return [Partition(place.topic, place.partition) for place in partitions]


def _without(
    options: Mapping[str, str | int | float | bool], prefixes: tuple[str, ...]
) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in options.items() if not name.startswith(prefixes)}
