"""A worker as a process: the stream's document and the gateway's URL are its arguments; SIGTERM ends it."""

import asyncio
import logging
import signal
import sys

from deployments.streaming.figures import StreamFigures
from deployments.streaming.stream_file import PredictionStream
from ray_apps.stream_worker import work


async def main() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    stream = PredictionStream.model_validate_json(sys.argv[1])
    await work(stream, sys.argv[2], None, StreamFigures(), stopping)


logging.basicConfig(level=logging.INFO)
asyncio.run(main())
