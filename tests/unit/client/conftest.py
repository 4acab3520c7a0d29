import asyncio

import httpx
import pytest

from deployments.client import AsyncClient, Client, RetryPolicy

AT_ONCE = RetryPolicy(first_pause_seconds=0.0)


def _blocking(transport, method, arguments, options, settings):
    with Client("http://gateway", transport=transport, **settings) as client:
        return getattr(client, method)(*arguments, **options)


def _asynchronous(transport, method, arguments, options, settings):
    async def scenario():
        async with AsyncClient("http://gateway", transport=transport, **settings) as client:
            return await getattr(client, method)(*arguments, **options)

    return asyncio.run(scenario())


@pytest.fixture(params=[_blocking, _asynchronous], ids=["blocking", "asyncio"])
def ask(request):
    """Call one method of a client against a server that is a function; once for each kind of client."""

    def one(server, method, *arguments, settings=None, **options):
        settings = {"retries": AT_ONCE, **(settings or {})}
        return request.param(httpx.MockTransport(server), method, arguments, options, settings)

    return one


@pytest.fixture
def script():
    """A server that answers from a list, one entry a request, and remembers the requests."""

    def server(*answers):
        remaining = list(answers)
        requests = []

        def answer(request):
            requests.append(request)
            outcome = remaining.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        answer.requests = requests
        return answer

    return server
