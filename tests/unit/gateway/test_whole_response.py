"""A caller gets an answer or none: never a head whose body was lost with the gateway."""

import asyncio
import contextlib

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployments.gateway import whole_response

REQUEST = b"%s / HTTP/1.1\r\nhost: here\r\n%s\r\n"


@pytest.fixture(autouse=True)
def _installed():
    module = HttpToolsProtocol.on_headers_complete.__globals__
    original = module["RequestResponseCycle"]
    whole_response.install()
    yield
    module["RequestResponseCycle"] = original


@contextlib.asynccontextmanager
async def connection_to(application):
    """A raw connection to a real uvicorn server of the application."""
    config = uvicorn.Config(application, port=0, http="httptools", lifespan="off", log_level="critical")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    serving = asyncio.create_task(server.main_loop())
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving
        await server.shutdown()


class SlowBody:
    """Says its head, and its body when it is let."""

    def __init__(self, *chunks, headers=()):
        self.chunks, self.headers = chunks, list(headers)
        self.head_said, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        self.head_said.set()
        await self.may_go_on.wait()
        for position, chunk in enumerate(self.chunks, 1):
            more = position < len(self.chunks)
            await send({"type": "http.response.body", "body": chunk, "more_body": more})


def test_the_head_waits_for_its_body():
    async def scenario():
        application = SlowBody(b"hello", headers=[(b"content-length", b"5")])
        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (b"GET", b""))
            await application.head_said.wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            application.may_go_on.set()
            first = await reader.read(65536)
            assert first.startswith(b"HTTP/1.1 200 OK")
            assert first.endswith(b"\r\n\r\nhello")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "asks", "body"),
    [
        pytest.param(b"GET", b"connection: close\r\n", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", id="in-chunks"),
        pytest.param(b"HEAD", b"connection: close\r\n", b"", id="head-has-no-body"),
    ],
)
def test_other_answers_are_complete_before_the_connection_closes(method, asks, body):
    async def scenario():
        application = SlowBody(b"hello", b" world")
        application.may_go_on.set()
        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (method, asks))
            _, _, received = (await reader.read()).partition(b"\r\n\r\n")
            assert received == body

    asyncio.run(scenario())


def test_a_connection_takes_one_request_after_the_other():
    async def scenario():
        application = SlowBody(b"hello", headers=[(b"content-length", b"5")])
        application.may_go_on.set()
        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (b"GET", b"") * 3)
            for _ in range(3):
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(5) == b"hello"

    asyncio.run(scenario())


def test_an_application_that_fails_after_its_head_answers_500():
    async def scenario():
        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError

        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (b"GET", b""))
            assert (await reader.read(65536)).startswith(b"HTTP/1.1 500")

    asyncio.run(scenario())
