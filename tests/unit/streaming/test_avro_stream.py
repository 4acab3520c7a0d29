"""A stream of Avro values between real brokers, a gateway and a schema registry that speaks its REST API."""

import struct
from datetime import UTC, datetime

import pytest
import schema_registry_server
from schema_registry_server import SchemaRegistryServer
from stream_on_a_thread import wait_for, working

from deployments.contracts.metric_names import OK
from deployments.streaming.errors import RegistryRefuses, ResultSchemaMissing, SchemaUnusable

APPLICATION = {
    "type": "record",
    "name": "Application",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "Income", "type": ["null", "double"]},
        {"name": "Home", "type": {"type": "enum", "name": "Home", "symbols": ["owner", "rent"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
AT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.fixture
def registry():
    server = SchemaRegistryServer()
    yield server
    server.close()


@pytest.fixture
def avro_stream(stream, registry, gateway):
    """A stream of Avro, whose gateway answers as the real one does."""
    gateway.answer = lambda body: (200, answered(body["features"]["id"]))

    def make(**changes):
        return stream(**{"format": "avro", "schemaRegistry": registry.url, **changes})

    return make


def answered(number):
    return {
        "model_id": "credit-risk",
        "model_version": "1.0.0",
        "prediction": "good",
        "probability": 0.75,
        "prediction_id": f"id-{number}",
        "timestamp": "2026-11-22T08:30:00Z",
    }


def framed(number, document, schema=APPLICATION):
    return schema_registry_server.framed(number, document, schema)


def application(number):
    return {"id": number, "Income": None if number % 2 else 1.5, "Home": "rent", "at": AT}


def read(message, registry):
    return registry.read(message.value())


def reason_of(message):
    return dict(message.headers())["raygate-reason"].decode()


def test_values_go_in_and_come_out_as_avro(avro_stream, registry, gateway, produce, reader):
    made = avro_stream()
    number = registry.register(f"{made.spec.input}-value", APPLICATION)
    produce(made, [(f"applicant-{one % 3}", framed(number, application(one))) for one in range(60)])
    with working(made, gateway.url) as figures:
        messages = reader(made.spec.results).read_until(lambda seen: len(seen) == 60)
    assert figures.records == {OK: 60}
    features = {body["features"]["id"]: body["features"] for _, _, body in gateway.asked}
    told = {"Home": "rent", "at": "2026-11-22T08:30:00+00:00"}
    assert features[0] == {"id": 0, "Income": 1.5, **told}
    assert features[1] == {"id": 1, "Income": None, **told}
    results = [read(message, registry) for message in messages]
    assert sorted(one["prediction_id"] for one in results) == sorted(f"id-{one}" for one in range(60))
    assert results[0] == {**answered(0), "prediction_id": results[0]["prediction_id"]} | {
        "failover_from": None,
        "warnings": None,
    }
    assert registry.asked.count(("GET", f"/schemas/ids/{number}")) == 1
    assert registry.asked.count(("POST", f"/subjects/{made.spec.results}-value/versions")) == 1


def test_what_cannot_be_decoded_is_rejected_as_it_is_with_a_reason(
    avro_stream, registry, gateway, produce, reader
):
    made = avro_stream()
    number = registry.register("applications-value", APPLICATION)
    nothing = registry.register("counts-value", "long")
    proto = registry.register("protos-value", "message A {}", schemaType="PROTOBUF")
    whole = framed(number, application(1))
    bad = {
        b'{"id": 1}': "its first byte must be 0",
        b"\0\0": "its first byte must be 0",
        whole[:-2]: f"does not fit schema {number}",
        whole + b"x": "goes on behind its document",
        framed(nothing, 7, "long"): f"must be a record, and schema {nothing} is none",
        struct.pack(">bI", 0, proto): "it is PROTOBUF, not AVRO",
        struct.pack(">bI", 0, 4711) + b"x": "has no schema 4711",
        framed(number, {**application(2), "Income": float("nan")}): "not finite",
    }
    produce(made, [("ada", value) for value in bad] + [("ada", None), ("ada", framed(number, application(3)))])
    with working(made, gateway.url) as figures:
        rejected = reader(made.spec.rejected).read_until(lambda seen: len(seen) == len(bad) + 1)
        reader(made.spec.results).read_until(len)
    by_value = {message.value(): reason_of(message) for message in rejected}
    assert all(told in by_value[value] for value, told in bad.items())
    assert by_value[None] == "the record has no value"
    assert figures.records == {OK: 1, "UNREADABLE_RECORD": len(bad) + 1}


def test_a_registry_that_does_not_answer_is_asked_again_and_no_record_is_lost(
    avro_stream, registry, gateway, produce, reader
):
    made = avro_stream()
    number = registry.register("applications-value", APPLICATION)
    produce(made, [(f"applicant-{one}", framed(number, application(one))) for one in range(20)])
    results = reader(made.spec.results)
    registry.broken = 503
    with working(made, gateway.url) as figures:
        wait_for(lambda: figures.retries >= 3)
        assert figures.waiting_for == f"the schema registry {registry.url}: 503"
        assert gateway.asked == []
        registry.broken = 0
        messages = results.read_until(lambda seen: len(seen) == 20)
    assert {read(one, registry)["prediction_id"] for one in messages} == {f"id-{one}" for one in range(20)}
    assert figures.records == {OK: 20}


def test_a_schema_may_refer_to_others(avro_stream, registry, gateway, produce, reader):
    home = {"type": "record", "name": "Home", "namespace": "bank", "fields": [{"name": "rooms", "type": "int"}]}
    lead = {
        "type": "record",
        "name": "Lead",
        "fields": [{"name": "id", "type": "long"}, {"name": "home", "type": "bank.Home"}],
    }
    registry.register("home-value", home)
    reference = {"name": "bank.Home", "subject": "home-value", "version": 1}
    number = registry.register("lead-value", lead, references=[reference])
    made = avro_stream()
    whole = {**lead, "fields": [lead["fields"][0], {"name": "home", "type": home}]}
    produce(made, [("ada", framed(number, {"id": 4, "home": {"rooms": 3}}, whole))])
    with working(made, gateway.url):
        reader(made.spec.results).read_until(len)
    assert gateway.asked[0][2]["features"] == {"id": 4, "home": {"rooms": 3}}


class TestResults:
    @pytest.fixture
    def made(self, avro_stream, registry, gateway, produce):
        """A stream of documents whose answers are an endpoint's own, and one record."""
        made = avro_stream(endpoint=None, path="/api/v1/score")
        number = registry.register("applications-value", APPLICATION)
        gateway.answer = lambda body: (200, {"score": 0.5, "market": {"peak": 1.2}})
        produce(made, [("ada", framed(number, application(1)))])
        return made

    def test_are_written_by_the_newest_schema_of_their_subject(self, made, registry, gateway, reader):
        score = {"name": "score", "type": "double"}
        owner = {"name": "owner", "type": "string", "default": "bank"}
        for fields in ([score], [score, owner]):
            registry.register(f"{made.spec.results}-value", {"type": "record", "name": "Score", "fields": fields})
        with working(made, gateway.url):
            (message,) = reader(made.spec.results).read_until(len)
        assert read(message, registry) == {"score": 0.5, "owner": "bank"}
        assert ("POST", f"/subjects/{made.spec.results}-value/versions") not in registry.asked

    def test_that_do_not_fit_it_are_rejected(self, made, registry, gateway, reader):
        price = {"type": "record", "name": "Price", "fields": [{"name": "price", "type": "double"}]}
        number = registry.register(f"{made.spec.results}-value", price)
        with working(made, gateway.url) as figures:
            (message,) = reader(made.spec.rejected).read_until(len)
        assert (
            reason_of(message)
            == f"the answer does not fit schema {number}, the newest of {made.spec.results}-value"
        )
        assert figures.records == {"RESULT_NOT_ENCODABLE": 1}

    def test_of_an_endpoints_own_kind_need_a_schema(self, made, registry, gateway):
        with pytest.raises(ResultSchemaMissing, match=f"no schema of {made.spec.results}-value"):
            run_to_its_end(made, gateway, registry)

    def test_need_one_of_avro(self, made, registry, gateway):
        registry.register(f"{made.spec.results}-value", {}, schemaType="JSON")
        with pytest.raises(SchemaUnusable, match="it is JSON, not AVRO"):
            run_to_its_end(made, gateway, registry)


def run_to_its_end(stream, gateway, registry):
    """Until the registry is asked; what is under way then is finished."""
    before = len(registry.asked)
    with working(stream, gateway.url):
        wait_for(lambda: len(registry.asked) > before)


def test_a_registry_may_want_to_know_who_asks(avro_stream, registry, gateway, produce, reader, tmp_path):
    registry.credential = "key:secret:with-colon"
    (tmp_path / "registry").write_text(registry.credential)
    number = registry.register("applications-value", APPLICATION)
    made = avro_stream(schemaRegistryCredential=f"file:{tmp_path / 'registry'}")
    produce(made, [("ada", framed(number, application(1)))])
    with working(made, gateway.url):
        reader(made.spec.results).read_until(len)
    stranger = avro_stream(input=made.spec.input, results="stranger-results", group="strangers")
    with pytest.raises(RegistryRefuses, match="401 Unauthorized") as refused:
        run_to_its_end(stranger, gateway, registry)
    assert "with-colon" not in str(refused.value)
