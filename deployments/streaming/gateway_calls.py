"""Asks the gateway about records as any caller does: roles, split, limits and log are the gateway's."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import orjson

from deployments.client.retries import RetryPolicy
from deployments.streaming.errors import (
    GatewayRefuses,
    ResultNotEncodable,
    SchemaUnavailable,
    UnknownSchema,
    UnreadableRecord,
)
from deployments.streaming.fate import ATTEMPTS_AT_AN_UNKNOWN_ERROR, Fate, fate
from deployments.streaming.gateway_connection import Answer, GatewayConnection
from deployments.streaming.record import Outgoing, Record, unit_of
from deployments.streaming.stream_file import StreamSpec
from deployments.streaming.suspects import Suspects, Trial
from deployments.streaming.values import RecordValues

_PREDICT = "/api/v1/predict"
_PAUSES = RetryPolicy(attempts=1_000, first_pause_seconds=0.05, longest_pause_seconds=5.0)
_LONGEST_AT = 10
"""The attempt from which on pauses grow no longer."""
_TOLD_AT = 8
"""The attempt that is logged: some seconds after the first, so that a passing refusal is not."""
_log = logging.getLogger("raygate.stream")
UNREADABLE = "UNREADABLE_RECORD"
"""Code of a record that never reached the gateway."""
NOT_ENCODABLE = "RESULT_NOT_ENCODABLE"
"""Code of a record whose answer does not fit the schema of results."""


class GatewayCalls:
    """Turns records into what goes out for them.

    Args:
        spec: Of the stream.
        values: How values are written.
        connection: To the gateway.
        credential: Gives the API key, or None where callers are not asked who they are. Keys are rotated, so it is
            asked again when the gateway does not take one.
        retried: Called with the reason of each attempt that is made again.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        spec: StreamSpec,
        values: RecordValues,
        connection: GatewayConnection,
        credential: Callable[[], str | None],
        retried: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._spec, self._values, self._connection = spec, values, connection
        self._retried, self._sleep = retried, sleep
        self._path = spec.path or _PREDICT
        self._where = f"{connection.where}{self._path}"
        self._credential, self._key = credential, credential()
        self._suspects = Suspects()

    async def outgoing(self, record: Record) -> Outgoing:
        """What goes out for a record; asks until gateway and schema registry can answer.

        Raises:
            GatewayRefuses: It never will, for this caller.
            RegistryRefuses: The same of the schema registry.
            ResultSchemaMissing: Nobody has said how results are written.
        """
        try:
            body = await self._body(record)
        except UnreadableRecord as error:
            return self._rejected(record, UNREADABLE, str(error))
        headers = {"content-type": "application/json"}
        if record.key is not None and self._spec.key_header is not None:
            headers[self._spec.key_header] = unit_of(record.key)
        trial = Trial(self._suspects, record.source)
        try:
            return await self._asked(record, headers, body, trial)
        finally:
            trial.close()

    async def _asked(self, record: Record, headers: dict[str, str], body: bytes, trial: Trial) -> Outgoing:
        attempt = 0
        while True:
            attempt += 1
            key = self._key
            if key is not None:
                headers["authorization"] = f"Bearer {key}"
            async with trial.attempt():
                answer = await self._connection.ask(self._path, headers, body)
            code, details = _problem_of(answer)
            decided = fate(answer.status, code, attempt)
            if decided is Fate.RESULT:
                trial.answered()
                return await self._result(record, answer.body)
            if decided is Fate.REJECTED or (decided is Fate.SUSPECTED and trial.failed()):
                return self._rejected(record, code or f"HTTP_{answer.status}", details)
            if decided is Fate.REFUSED:
                if self._is_rotated(key):
                    continue
                raise GatewayRefuses(self._where, details or f"status {answer.status}")
            reason = f"the gateway {self._where}: {_reason(answer.status, code, details)}"
            await self._pause(record, attempt, reason, answer.retry_after, trial.pause_seconds(random.random()))

    def _is_rotated(self, refused: str | None) -> bool:
        """Whether there is another key by now than the one that was refused."""
        self._key = self._credential()
        return self._key != refused

    async def _body(self, record: Record) -> bytes:
        """The request's body.

        Raises:
            UnreadableRecord: The record has no document, or the registry no schema for it.
        """
        value = record.value
        if value is None:
            raise UnreadableRecord("the record has no value")
        document = await self._with_schema(record, lambda: self._values.as_json(value))
        if self._spec.endpoint is None:
            return document
        return orjson.dumps({"model_id": self._spec.endpoint, "features": orjson.Fragment(document)})

    async def _result(self, record: Record, answer: bytes) -> Outgoing:
        try:
            value = await self._with_schema(record, lambda: self._values.encoded(answer))
        except ResultNotEncodable as error:
            return self._rejected(record, NOT_ENCODABLE, str(error))
        return Outgoing(self._spec.results, value, record.source)

    async def _with_schema(self, record: Record, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """What needs a schema, once it can be had.

        A number that is not known may be known soon: a registry follows its leader. One that never will be must
        not stop its partition for ever.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return await make()
            except UnknownSchema as error:
                if attempt >= ATTEMPTS_AT_AN_UNKNOWN_ERROR:
                    raise UnreadableRecord(str(error)) from error
                reason = str(error)
            except SchemaUnavailable as error:
                reason = str(error)
            await self._pause(record, attempt, reason)

    async def _pause(
        self, record: Record, attempt: int, reason: str, wish: float | None = None, least: float = 0.0
    ) -> None:
        """Wait before the next attempt; ``wish`` is how long the gateway asks for, ``least`` what others need."""
        self._retried(reason)
        if attempt == _TOLD_AT:
            _log.warning("%s waits for %s", record.source, reason)
        asked = min(wish or 0.0, _PAUSES.longest_pause_seconds)
        await self._sleep(least + (_PAUSES.pause(min(attempt, _LONGEST_AT), asked, random.random()) or 0.0))

    def _rejected(self, record: Record, code: str, details: str) -> Outgoing:
        return Outgoing(self._spec.rejected, record.value, record.source, code, details)


def _problem_of(answer: Answer) -> tuple[str, str]:
    """Code and details of the gateway's error document; empty where something before the gateway answered."""
    if answer.status == 200:
        return "", ""
    try:
        document = orjson.loads(answer.body)
        return str(document["code"]), str(document["details"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "", ""


def _reason(status: int, code: str, details: str) -> str:
    """Why the gateway has to be asked again, for people.

    >>> _reason(404, "MODEL_NOT_FOUND", "no endpoint is called x"), _reason(0, "", "")
    ('404 MODEL_NOT_FOUND no endpoint is called x', 'no answer')
    """
    return " ".join(part for part in (str(status), code, details) if part) if status else "no answer"
