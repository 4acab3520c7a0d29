"""A worker on a thread of the test's own process, so that its figures can be looked at."""

import asyncio
import threading
from contextlib import contextmanager

from deployments.streaming.figures import StreamFigures
from ray_apps.stream_worker import work


@contextmanager
def working(stream, url, credential=None):
    """A worker on a thread for the block; gives its figures."""
    figures, loop, failures = StreamFigures(), asyncio.new_event_loop(), []
    stopping = asyncio.Event()

    def run():
        try:
            loop.run_until_complete(work(stream, url, credential, figures, stopping))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield figures
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(30)
        assert not thread.is_alive()
        loop.close()
    if failures:
        raise failures[0]


def wait_for(condition, timeout_s=30.0):
    deadline = threading.Event()
    for _ in range(int(timeout_s / 0.05)):
        if condition():
            return
        deadline.wait(0.05)
    raise AssertionError("it did not happen in time")
