import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from redis_server import RedisServer


@pytest.fixture
def redis_server(require_program, tmp_path) -> Iterator[RedisServer]:
    server = RedisServer(require_program("redis-server", package="redis-server"), tmp_path)
    yield server
    server.kill()


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a loop of its own; a test that hangs fails."""

    def within_twenty_seconds(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(asyncio.wait_for(coroutine, 20))

    return within_twenty_seconds
