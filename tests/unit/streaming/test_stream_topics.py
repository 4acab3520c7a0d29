"""What the client of Kafka tells at an awkward moment."""

from types import SimpleNamespace

import confluent_kafka
import pytest
from kafka_brokers import PARTITIONS

from deployments.streaming.errors import BrokersRefuse, ClientOptionRefused, NotDelivered, TopicUnwritable
from deployments.streaming.record import Outgoing, Partition
from deployments.streaming.topics import Topics


class Message:
    """A record as the client gives it."""

    def __init__(self, partition, offset):
        self._partition, self._offset = partition, offset

    def error(self):
        return None

    def topic(self):
        return "applications"

    def partition(self):
        return self._partition

    def offset(self):
        return self._offset

    def key(self):
        return None

    def value(self):
        return b"{}"

    def timestamp(self):
        return confluent_kafka.TIMESTAMP_NOT_AVAILABLE, 0


class Consumer:
    """A client of which a test says what it reads, and what happens while it does."""

    def __init__(self, options):
        self.options = options
        self.first, self.more, self.meanwhile = None, [], lambda: None
        self.assigned, self.resumed, self.committed = [], [], []

    def subscribe(self, topics, on_assign, on_revoke, on_lost):
        self.on_assign, self.on_revoke, self.on_lost = on_assign, on_revoke, on_lost

    def poll(self, seconds):
        return self.first

    def consume(self, count, seconds):
        self.meanwhile()
        return self.more

    def assignment(self):
        return self.assigned

    def pause(self, places):
        self.paused = places

    def resume(self, places):
        self.resumed = list(places)

    def commit(self, offsets, asynchronous):
        self.committed += [(place.partition, place.offset) for place in offsets]

    def close(self):
        pass


class Producer:
    """A client whose deliveries fail as a test says, the first first."""

    def __init__(self, options):
        self.failures, self.taken, self.raises = [], [], False

    def produce(self, topic, value, key, on_delivery, headers):
        error = self.failures.pop(0) if self.failures else None
        if error is None:
            self.taken.append((topic, value, key, dict(headers)))
        elif self.raises:
            raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(error))
        on_delivery(error and confluent_kafka.KafkaError(error), None)

    def poll(self, seconds):
        pass

    def flush(self, seconds):
        pass


def places(*numbers):
    return [confluent_kafka.TopicPartition("applications", number) for number in numbers]


@pytest.fixture
def opened(stream, monkeypatch):
    """Topics and the client behind them."""
    monkeypatch.setattr(confluent_kafka, "Consumer", Consumer)
    monkeypatch.setattr(confluent_kafka, "Producer", Producer)
    topics = Topics(stream(results="predictions", rejected="rejected"), lambda partitions, lost: {})
    yield SimpleNamespace(topics=topics, client=topics._consumer, producer=topics._producer)
    topics.close()


@pytest.mark.parametrize("how", ["on_revoke", "on_lost"])
def test_a_record_of_a_partition_that_goes_while_more_is_read_is_left_to_its_next_reader(opened, how):
    client = opened.client
    client.first, client.more = Message(0, 7), [Message(1, 3)]
    client.meanwhile = lambda: getattr(client, how)(client, places(0))
    assert [record.source for record in opened.topics.read(10)] == ["applications/1/3"]
    client.meanwhile = lambda: None
    client.on_assign(client, places(0))
    assert [record.partition for record in opened.topics.read(10)] == [
        Partition("applications", 0),
        Partition("applications", 1),
    ]


def test_partitions_that_stay_when_others_come_do_not_stay_paused(opened):
    client = opened.client
    client.assigned = places(0, 1)
    opened.topics.read(0)
    assert client.paused == places(0, 1)
    client.on_assign(client, places(2))
    assert client.resumed == places(0, 1)


def lag_of_one_that_is_full(made, expected):
    """The lag over all partitions, once it is as expected, of a worker that has no room from the beginning."""
    topics, waiting, read = Topics(made, lambda partitions, lost: {}), None, 0
    try:
        for _ in range(100):
            read += len(topics.read(0))  # one may come with the partition, before that can be paused
            if lag := topics.lag():
                waiting = sum(lag.values()) + read
            if waiting == expected:
                break
        return waiting
    finally:
        topics.close()


def test_a_worker_that_is_full_when_it_gets_its_partitions_tells_what_waits_in_them(stream, produce):
    made = stream()
    produce(made, [(None, {"id": number}) for number in range(40)])
    assert lag_of_one_that_is_full(made, 40) == 40


def test_what_its_group_has_had_is_no_lag_of_the_next_worker(stream, produce):
    made = stream()
    produce(made, [("ada", {"id": number}) for number in range(40)])
    earlier = confluent_kafka.Consumer({"bootstrap.servers": made.spec.brokers, "group.id": made.group})
    offsets = [confluent_kafka.TopicPartition(made.spec.input, number, 30) for number in range(PARTITIONS)]
    earlier.commit(offsets=offsets, asynchronous=False)
    earlier.close()
    assert lag_of_one_that_is_full(made, 10) == 10


def test_a_group_that_begins_with_what_comes_has_no_lag_of_before(stream, produce):
    options = stream().spec.client_options
    made = stream(clientOptions={**options, "auto.offset.reset": "latest"})
    produce(made, [(None, {"id": number}) for number in range(40)])
    assert lag_of_one_that_is_full(made, 0) == 0


def test_the_lag_of_a_worker_that_is_full_grows_with_what_comes(stream, produce):
    made = stream()
    produce(made, [("ada", {"id": 1})])
    topics = Topics(made, lambda partitions, lost: {})
    while not topics.read(1):
        pass
    topics.read(0)
    produce(made, [("ada", {"id": number}) for number in range(2, 9)])
    assert sum(topics.lag().values()) == 7
    topics.close()


@pytest.mark.parametrize("raises", [pytest.param(True, id="client"), pytest.param(False, id="broker")])
def test_what_is_too_large_for_client_or_broker_is_rejected_without_its_value(opened, raises):
    opened.producer.raises = raises
    opened.producer.failures, told = [confluent_kafka.KafkaError.MSG_SIZE_TOO_LARGE], []
    outgoing = Outgoing("predictions", b"much", "applications/0/7")
    opened.topics.write(outgoing, b"ada", lambda out, problem: told.append((out.code, problem)))
    assert told == [("RECORD_TOO_LARGE", None)]
    ((topic, value, key, headers),) = opened.producer.taken
    assert (topic, value, key) == ("rejected", None, b"ada")
    assert (headers["raygate-source"], headers["raygate-code"]) == (b"applications/0/7", b"RECORD_TOO_LARGE")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED, TopicUnwritable, id="topic"),
        pytest.param(
            confluent_kafka.KafkaError.CLUSTER_AUTHORIZATION_FAILED, TopicUnwritable, id="idempotent-write"
        ),
        pytest.param(confluent_kafka.KafkaError._MSG_TIMED_OUT, NotDelivered, id="may-pass"),
    ],
)
def test_a_write_that_is_not_allowed_is_told_from_one_that_may_pass(opened, code, kind):
    opened.producer.failures, told = [code], []
    opened.topics.write(Outgoing("predictions", b"{}", "a/0/7"), None, lambda out, problem: told.append(problem))
    assert [type(problem) for problem in told] == [kind]
    assert "predictions" in str(told[0])


def test_credentials_that_the_brokers_refuse_end_the_stream(opened):
    refused = confluent_kafka.KafkaError(confluent_kafka.KafkaError._AUTHENTICATION, "no such user")
    opened.client.options["error_cb"](refused)
    with pytest.raises(BrokersRefuse, match="no such user"):
        opened.topics.read(1)


def test_an_option_that_the_client_does_not_know_is_named(stream):
    with pytest.raises(ClientOptionRefused, match=r"spec.clientOptions: .*sasl.mechanizm"):
        Topics(stream(clientOptions={"sasl.mechanizm": "PLAIN"}), lambda partitions, lost: {})
