"""A schema registry, asked by its REST API: Confluent's, and those that speak it (Karapace, Apicurio, Redpanda).

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from deployments.streaming.errors import RegistryRefuses, SchemaUnavailable, SchemaUnusable, UnknownSchema

if TYPE_CHECKING:
    import aiohttp

ANSWER_SECONDS = 10.0
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_NOT_FOUND = frozenset({40401, 40402, 40403})
"""Its codes for a subject, a version, a schema that it does not have; a bare 404 is somebody else's."""
_REFUSALS = frozenset({401, 403, 409, 422})


class RegisteredSchema(NamedTuple):
    """A schema of Avro, ready to read and write with.

    Attributes:
        number: Its id in the registry.
        parsed: As ``fastavro`` takes it.
    """

    number: int
    parsed: Any


class SchemaRegistry:
    """Schemas by number and by subject. What has a number never changes and is asked once.

    Args:
        url: Base URL.
        credential: ``user:password``, or None.
        session: Keeps connections.
    """

    def __init__(self, url: str, credential: str | None, session: aiohttp.ClientSession) -> None:
        import aiohttp

        self._url, self._session = url.rstrip("/"), session
        user, _, password = (credential or "").partition(":")
        self._authentication = aiohttp.BasicAuth(user, password) if credential else None
        self._known: dict[int, RegisteredSchema] = {}
        self._asking = asyncio.Lock()  # records that come together with a new number ask once

    async def schema(self, number: int) -> RegisteredSchema:
        """The schema of a number.

        Raises:
            UnknownSchema: The registry has none, or not yet.
            SchemaUnusable: It is none of Avro.
            SchemaUnavailable: The registry does not answer.
            RegistryRefuses: It does not let the stream in.
        """
        async with self._asking:
            if number not in self._known:
                found = await self._asked("GET", f"/schemas/ids/{number}")
                if found is None:
                    raise UnknownSchema(self._url, number)
                self._known[number] = RegisteredSchema(number, await self._parsed(found))
        return self._known[number]

    async def newest(self, subject: str) -> RegisteredSchema | None:
        """The newest schema of a subject; None if it has none.

        Raises:
            RaygateError: As for ``schema``.
        """
        found = await self._asked("GET", f"/subjects/{quote(subject, safe='')}/versions/latest")
        return None if found is None else RegisteredSchema(int(found["id"]), await self._parsed(found))

    async def register(self, subject: str, schema: dict[str, Any]) -> RegisteredSchema:
        """Give a subject a schema.

        Raises:
            RaygateError: As for ``schema``.
        """
        body = {"schema": json.dumps(schema)}
        made = await self._asked("POST", f"/subjects/{quote(subject, safe='')}/versions", body)
        if made is None:
            raise SchemaUnavailable(self._url, f"it does not take a schema of {subject}")
        return RegisteredSchema(int(made["id"]), await self._parsed(body))

    async def _parsed(self, found: dict[str, Any]) -> Any:
        """A schema with those that it refers to."""
        from fastavro import parse_schema

        named: dict[str, Any] = {}
        await self._take_references(found, named)
        try:
            return parse_schema(json.loads(found["schema"]), named)
        except Exception as error:  # fastavro raises many kinds, and no common one
            raise SchemaUnusable(self._url, type(error).__name__) from error

    async def _take_references(self, found: dict[str, Any], named: dict[str, Any]) -> None:
        from fastavro import parse_schema

        kind = found.get("schemaType", "AVRO")
        if kind != "AVRO":
            raise SchemaUnusable(self._url, f"it is {kind}, not AVRO")
        for reference in found.get("references") or ():
            subject, version = reference["subject"], reference["version"]
            other = await self._asked("GET", f"/subjects/{quote(subject, safe='')}/versions/{version}")
            if other is None:
                raise SchemaUnavailable(
                    self._url, f"it has no version {version} of {subject}, which a schema needs"
                )
            await self._take_references(other, named)
            if reference["name"] not in named:
                parse_schema(json.loads(other["schema"]), named)

    async def _asked(
        self, method: str, path: str, document: dict[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """The registry's answer; None where it does not have what is asked for."""
        import aiohttp

        headers = {"accept": _MEDIA_TYPE, "content-type": _MEDIA_TYPE}
        timeout = aiohttp.ClientTimeout(ANSWER_SECONDS)
        body = None if document is None else json.dumps(document).encode()
        try:
            async with self._session.request(
                method, self._url + path, data=body, headers=headers, timeout=timeout, auth=self._authentication
            ) as response:
                status, text = response.status, await response.text()
            answer = json.loads(text) if text.startswith("{") else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise SchemaUnavailable(self._url, "no answer") from error
        if status == 200 and answer:
            return dict(answer)
        message = f"{status} {answer.get('message', '')}".strip()
        if answer.get("error_code") in _NOT_FOUND:
            return None
        if status in _REFUSALS:
            raise RegistryRefuses(self._url, message)
        raise SchemaUnavailable(self._url, message)
