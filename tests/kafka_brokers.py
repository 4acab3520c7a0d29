"""Kafka brokers, librdkafka's own, in another process: they speak the protocol and keep everything in memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PARTITIONS = 4
"""Of every topic."""


@contextmanager
def running() -> Iterator[str]:
    """Run brokers for the block; gives where clients begin."""
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)


FETCH = {"fetch.wait.max.ms": 5}
"""For clients of these brokers where times are measured: unlike Kafka's, a fetch that waits is not woken by a
record that comes, and waits to its end."""


class Reader:
    """Reads a topic from its beginning, for as long as a test wants.

    Args:
        brokers: Where the client begins.
        topic: What is read.
    """

    def __init__(self, brokers: str, topic: str) -> None:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

        self.messages: list = []
        Producer({"bootstrap.servers": brokers}).list_topics(topic, timeout=10)  # brokers make it when it is named
        options = {"bootstrap.servers": brokers, "group.id": "none", "enable.auto.commit": False}
        self._consumer = Consumer({**options, **FETCH})
        self._consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])

    def read_until(self, done: Callable[[list], bool], timeout_s: float = 60.0) -> list:
        """Every message so far, as soon as they are what a test waits for."""
        deadline = time.monotonic() + timeout_s
        while not done(self.messages):
            assert time.monotonic() < deadline, f"only {len(self.messages)} messages after {timeout_s:g} s"
            self.messages += self.some()
        return self.messages

    def some(self) -> list:
        """The next messages; waits a little for the first."""
        first = self._consumer.poll(0.1)
        found = [] if first is None else [first, *self._consumer.consume(500, 0)]
        return [message for message in found if message.error() is None]

    def close(self) -> None:
        self._consumer.close()


def _serve() -> None:
    """Be the brokers until standard input ends.

    The Python client can begin such brokers too (``test.mock.num.brokers``), but then every group's first member
    waits three seconds for others.
    """
    from confluent_kafka import cimpl

    kafka, producer, brokers = ctypes.CDLL(cimpl.__file__), 0, 1  # symbols of librdkafka are found through it
    for function in (kafka.rd_kafka_new, kafka.rd_kafka_mock_cluster_new):
        function.restype = ctypes.c_void_p
    kafka.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    problem = ctypes.create_string_buffer(200)
    client = ctypes.c_void_p(kafka.rd_kafka_new(producer, None, problem, len(problem)))
    assert client, problem.value
    cluster = ctypes.c_void_p(kafka.rd_kafka_mock_cluster_new(client, brokers))
    kafka.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    print(kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
