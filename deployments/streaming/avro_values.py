"""Values that are Avro, as Confluent's serializers write them: a zero byte, the schema's number, the document.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastavro import schemaless_reader, schemaless_writer

from deployments.streaming.errors import ResultNotEncodable, ResultSchemaMissing, SchemaUnusable, UnreadableRecord
from deployments.streaming.schema_registry import RegisteredSchema, SchemaRegistry

_MAGIC = 0
_FRAME = struct.Struct(">bI")
_TEXTS: dict[type, Callable[[Any], object]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    UUID: str,
    Decimal: float,
    bytes: lambda value: base64.b64encode(value).decode(),
}
PREDICTION = {
    "type": "record",
    "name": "Prediction",
    "namespace": "io.raygate",
    "doc": "An answer of POST /api/v1/predict for one row.",
    "fields": [
        {"name": "model_id", "type": "string"},
        {"name": "model_version", "type": "string"},
        {
            "name": "prediction",
            "type": ["boolean", "long", "double", "string", {"type": "map", "values": "double"}],
            "doc": "A label, the value of a regression, or the values of several targets by name.",
        },
        {"name": "probability", "type": ["null", "double"], "default": None},
        {"name": "prediction_id", "type": "string"},
        {"name": "timestamp", "type": "string", "doc": "RFC 3339, UTC"},
        {"name": "failover_from", "type": ["null", "string"], "default": None},
        {
            "name": "warnings",
            "type": [
                "null",
                {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "Warning",
                        "fields": [
                            {"name": "row", "type": "long"},
                            {"name": "field", "type": "string"},
                            {"name": "message", "type": "string"},
                        ],
                    },
                },
            ],
            "default": None,
        },
    ],
}
"""Of results, where the registry has no schema for them."""


class AvroValues:
    """Reads by the schema that each record names, and writes by the newest of the results' subject.

    Args:
        registry: Has the schemas.
        results: Topic of results; its subject is ``<topic>-value``.
        own: Whether the answers are the API's own, so that ``PREDICTION`` may be registered where there is none.
    """

    def __init__(self, registry: SchemaRegistry, results: str, own: bool) -> None:
        self._registry, self._subject, self._own = registry, f"{results}-value", own
        self._results: RegisteredSchema | None = None
        self._finding = asyncio.Lock()

    async def as_json(self, value: bytes) -> bytes:
        """The document of a value, as JSON.

        Raises:
            RaygateError: See ``RecordValues``.
        """
        if len(value) < _FRAME.size or value[0] != _MAGIC:
            raise UnreadableRecord("the value is not Avro with the number of a schema: its first byte must be 0")
        _, number = _FRAME.unpack_from(value)
        try:
            schema = await self._registry.schema(number)
        except SchemaUnusable as error:
            raise UnreadableRecord(str(error)) from error
        content = io.BytesIO(value[_FRAME.size :])
        try:
            document = schemaless_reader(content, schema.parsed, None)
        except Exception as error:  # fastavro raises what its parts raise
            raise UnreadableRecord(f"the value does not fit schema {number}: {type(error).__name__}") from error
        if content.read(1):
            raise UnreadableRecord(f"the value does not fit schema {number}: it goes on behind its document")
        if type(document) is not dict:
            raise UnreadableRecord(f"the value must be a record, and schema {number} is none")
        try:
            return json.dumps(document, default=_as_json, allow_nan=False).encode()
        except ValueError as error:
            raise UnreadableRecord(
                "the value holds a number that is not finite; what is missing is null"
            ) from error

    async def encoded(self, answer: bytes) -> bytes:
        """An answer as Avro.

        Raises:
            RaygateError: See ``RecordValues``.
        """
        schema = await self._schema_of_results()
        written = io.BytesIO(_FRAME.pack(_MAGIC, schema.number))
        written.seek(0, io.SEEK_END)
        try:
            schemaless_writer(written, schema.parsed, json.loads(answer))
        except Exception as error:  # fastavro raises what its parts raise
            raise ResultNotEncodable(self._subject, schema.number) from error
        return written.getvalue()

    async def _schema_of_results(self) -> RegisteredSchema:
        """The newest of the subject when the first result is written; it stays for this worker's life.

        Raises:
            ResultSchemaMissing: There is none, and the answers are an endpoint's own.
            SchemaUnusable: It is none of Avro.
        """
        async with self._finding:
            if self._results is None:
                found = await self._registry.newest(self._subject)
                if found is None and not self._own:
                    raise ResultSchemaMissing(self._subject)
                self._results = found or await self._registry.register(self._subject, PREDICTION)
        return self._results


def _as_json(value: object) -> object:
    """What Avro has and JSON has not.

    Raises:
        ValueError: It has no form in JSON.
    """
    if type(value) not in _TEXTS:
        raise ValueError(type(value).__name__)
    return _TEXTS[type(value)](value)
