"""A caller gets an answer or none, never a head whose body was lost; who has left is not worked for."""

import asyncio
import contextlib
import gc
import re

import pytest
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from deployments.gateway import http_cycle
from deployments.gateway.http_cycle import ShortWay

REQUEST = b"%s / HTTP/1.1\r\nhost: here\r\n%s\r\n"


@pytest.fixture(autouse=True)
def _installed():
    module = HttpToolsProtocol.on_headers_complete.__globals__
    original = module["RequestResponseCycle"]
    http_cycle.install()
    yield
    http_cycle.install()
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
        server.should_exit = True
        await serving
        await server.shutdown()  # as Serve's replicas do: after the last request that was taken
        writer.close()


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


def test_a_request_after_the_last_one_of_a_connection_is_not_begun():
    async def scenario():
        begun = []

        async def application(scope, receive, send):
            begun.append(scope["path"])
            headers = [(b"content-length", b"5"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"hello"})

        async with connection_to(application) as (reader, writer):
            request = REQUEST % (b"GET", b"")
            writer.write(request + request.replace(b"/", b"/again", 1))
            assert (await reader.read()).count(b"hello") == 1
        assert begun == ["/"]

    asyncio.run(scenario())


def test_an_answer_whose_body_is_longer_than_its_head_says_is_no_answer():
    async def scenario():
        application = SlowBody(b"hello", headers=[(b"content-length", b"4")])
        application.may_go_on.set()
        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (b"GET", b""))
            assert await reader.read() == b""

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


def test_work_for_a_caller_that_left_ends_and_nothing_watches_for_it():
    async def scenario():
        begun, ended, scopes = asyncio.Event(), asyncio.Event(), []

        async def application(scope, receive, send):
            scopes.append(dict(scope["headers"]))
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        own = b"x-request-disconnect-disabled: ?0\r\nx-request-timeout-seconds: 9\r\n"
        async with connection_to(application) as (_, writer):
            writer.write(REQUEST % (b"POST", b"content-length: 0\r\n" + own))
            await begun.wait()
            writer.close()
            await asyncio.wait_for(ended.wait(), 5)
        assert scopes[0][b"x-request-disconnect-disabled"] == b"?1"
        assert scopes[0][b"x-request-timeout-seconds"] == b"0"

    asyncio.run(scenario())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("has_begun", [False, True], ids=["before-the-head", "after-the-head"])
def test_a_caller_that_leaves_while_it_is_answered_is_no_failure(run, has_begun):
    async def scenario():
        failures, begun = [], asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))

        async def application(scope, receive, send):
            if has_begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            begun.set()
            await asyncio.Event().wait()

        async with connection_to(application) as (_, writer):
            writer.write(REQUEST % (b"POST", b"content-length: 0\r\n"))
            await begun.wait()
            writer.close()
        gc.collect()  # asyncio tells of a task's failure when nobody can ask for it any more
        await asyncio.sleep(0)
        assert failures == []

    run(scenario())


def test_a_body_that_never_comes_whole_ends_with_its_caller():
    async def scenario():
        begun, ended = asyncio.Event(), asyncio.Event()

        async def application(scope, receive, send):
            try:
                while (await receive())["type"] == "http.request":
                    begun.set()
            finally:
                ended.set()

        async with connection_to(application) as (_, writer):
            writer.write(REQUEST % (b"POST", b"content-length: 9\r\n") + b"half")
            await begun.wait()
            writer.close()
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(scenario())


def test_what_an_application_does_after_its_answer_does_not_end_with_the_connection():
    async def scenario():
        may_end, ended = asyncio.Event(), asyncio.Event()

        async def application(scope, receive, send):
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            await may_end.wait()
            ended.set()

        async with connection_to(application) as (reader, writer):
            writer.write(REQUEST % (b"POST", b"connection: close\r\n"))
            await reader.read()
            writer.close()
            await writer.wait_closed()
            may_end.set()
            await asyncio.wait_for(ended.wait(), 5)

    asyncio.run(scenario())


class Predictions:
    """Takes one path, as the gateway's hot path does, and says that it was asked."""

    def takes(self, scope):
        return scope["path"] == "/api/v1/predict"

    async def __call__(self, scope, receive, send):
        self.asked = scope
        await answer(send, b"the gateway")


async def serve(scope, receive, send):
    await answer(send, b"Serve")


async def answer(send, body):
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("path", "who"),
    [(b"/api/v1/predict", b"the gateway"), (b"/api/v1/feedback", b"Serve"), (b"/-/healthz", b"Serve")],
)
def test_only_what_predicts_goes_past_serve(path, who):
    async def scenario():
        http_cycle.install(ShortWay(Predictions(), asyncio.get_running_loop()))
        async with connection_to(serve) as (reader, writer):
            writer.write(b"POST %s HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n" % path)
            assert (await reader.read(65536)).endswith(b"\r\n\r\n" + who)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(b"X-Request-ID: 4711\r\n", rb"4711"), pytest.param(b"", rb"[0-9a-f]{32}", id="given-one")],
)
def test_a_request_has_an_id_that_comes_back_with_its_answer(sent, expected):
    async def scenario():
        predictions = Predictions()
        http_cycle.install(ShortWay(predictions, asyncio.get_running_loop()))
        async with connection_to(serve) as (reader, writer):
            writer.write(b"POST /api/v1/predict HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n" + sent + b"\r\n")
            answer = await reader.readuntil(b"the gateway")
        (told,) = re.findall(rb"\r\nx-request-id: (.*)\r\n", answer)
        assert re.fullmatch(expected, told)
        assert dict(predictions.asked["headers"])[b"x-request-id"] == told

    asyncio.run(scenario())


def test_a_server_on_another_loop_than_the_gateway_goes_by_serve():
    async def scenario():
        http_cycle.install(ShortWay(Predictions(), asyncio.new_event_loop()))
        async with connection_to(serve) as (reader, writer):
            writer.write(b"POST /api/v1/predict HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n")
            assert (await reader.read(65536)).endswith(b"Serve")

    asyncio.run(scenario())


def test_a_server_that_ends_answers_first_what_it_has_taken():
    async def scenario():
        application = SlowBody(b"hello", headers=[(b"content-length", b"5")])
        application.takes = lambda scope: True
        http_cycle.install(ShortWay(application, asyncio.get_running_loop()))
        async with connection_to(serve) as (reader, writer):
            writer.write(REQUEST % (b"POST", b"content-length: 0\r\n"))
            await application.head_said.wait()
            asyncio.get_running_loop().call_later(0.3, application.may_go_on.set)
            answered = asyncio.create_task(reader.read(65536))
        assert (await answered).endswith(b"hello")

    asyncio.run(scenario())
