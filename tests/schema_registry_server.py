"""A schema registry that speaks the REST API of Confluent's, as far as a stream needs it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
import threading
from typing import Any

from aiohttp import web
from fastavro import parse_schema, schemaless_reader, schemaless_writer

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


def framed(number: int, document: Any, schema: Any) -> bytes:
    """A value in the wire format of Confluent's, by a schema and its number."""
    written = io.BytesIO()
    schemaless_writer(written, parse_schema(schema), document)
    return struct.pack(">bI", 0, number) + written.getvalue()


class SchemaRegistryServer:
    """Holds schemas by number and by subject.

    Attributes:
        url: Where it listens.
        asked: Method and path of every request.
        broken: Status that every request gets, in place of an answer; 0 gives answers.
        credential: ``user:password`` that it wants, or None.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken = 0
        self.credential: str | None = None
        self._schemas: list[dict[str, Any]] = []
        self._subjects: dict[str, list[int]] = {}
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def register(self, subject: str, schema: Any, **more: Any) -> int:
        """Add a schema as its owner would; gives its number."""
        registered = {"schema": json.dumps(schema), **more}
        if registered not in self._schemas:
            self._schemas.append(registered)
        number = self._schemas.index(registered) + 1
        versions = self._subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
        return number

    def schema(self, number: int) -> Any:
        """A schema that somebody has registered."""
        return json.loads(self._schemas[number - 1]["schema"])

    def read(self, value: bytes) -> Any:
        """The document of a value, as any consumer reads it: by the number of its schema."""
        magic, number = struct.unpack(">bI", value[:5])
        assert magic == 0
        return schemaless_reader(io.BytesIO(value[5:]), parse_schema(self.schema(number)), None)

    def close(self) -> None:
        """Stop listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/schemas/ids/{number}", self._by_number)
        app.router.add_get("/subjects/{subject}/versions/{version}", self._by_version)
        app.router.add_post("/subjects/{subject}/versions", self._taken)
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, request.path))
        expected = self.credential and "Basic " + base64.b64encode(self.credential.encode()).decode()
        if expected and request.headers.get("authorization") != expected:
            return _answer({"error_code": 40101, "message": "Unauthorized"}, 401)
        if self.broken:
            return web.Response(status=self.broken, text="<html>try later</html>")
        return await handler(request)

    async def _by_number(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        if not 1 <= number <= len(self._schemas):
            return _answer({"error_code": 40403, "message": "Schema not found"}, 404)
        return _answer(self._schemas[number - 1])

    async def _by_version(self, request: web.Request) -> web.Response:
        subject, wanted = request.match_info["subject"], request.match_info["version"]
        numbers = self._subjects.get(subject)
        if numbers is None:
            return _answer({"error_code": 40401, "message": f"Subject '{subject}' not found."}, 404)
        version = len(numbers) if wanted == "latest" else int(wanted)
        if version > len(numbers):
            return _answer({"error_code": 40402, "message": f"Version {version} not found."}, 404)
        number = numbers[version - 1]
        return _answer({"subject": subject, "version": version, "id": number, **self._schemas[number - 1]})

    async def _taken(self, request: web.Request) -> web.Response:
        body = await request.json()
        return _answer({"id": self.register(request.match_info["subject"], json.loads(body["schema"]))})


def _answer(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(document, status=status, content_type=MEDIA_TYPE)
