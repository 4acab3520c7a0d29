"""How the values of records are written: documents in, answers out."""

from __future__ import annotations

from typing import Protocol

import orjson

from deployments.streaming.errors import UnreadableRecord


class RecordValues(Protocol):
    """A format of values."""

    async def as_json(self, value: bytes) -> bytes:
        """The JSON object that a value holds.

        Raises:
            UnreadableRecord: It holds none.
            SchemaUnavailable: Its schema cannot be had now.
            UnknownSchema: The registry has no schema of that number, or not yet.
        """
        ...

    async def encoded(self, answer: bytes) -> bytes:
        """The gateway's answer, a JSON object, as the value of a result.

        Raises:
            ResultNotEncodable: It does not fit the schema of results.
            SchemaUnavailable: The schema of results cannot be had now.
        """
        ...


class JsonValues:
    """Values that are JSON: they go in and come out as they are."""

    async def as_json(self, value: bytes) -> bytes:
        """The value itself.

        Raises:
            UnreadableRecord: It is no JSON object.
        """
        try:
            document = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise UnreadableRecord(f"the value is not JSON: {error.msg} at position {error.pos}") from error
        if type(document) is not dict:
            raise UnreadableRecord("the value must be a JSON object")
        return value

    async def encoded(self, answer: bytes) -> bytes:
        """The answer itself."""
        return answer
