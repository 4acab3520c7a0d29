"""One worker of a stream, as an actor that Ray starts again when it dies."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from deployments.contracts import secret_reference
from deployments.rollout.serve_config import GATEWAY
from deployments.streaming.figures import StreamFigures
from deployments.streaming.stream_file import PredictionStream, StreamSpec

if TYPE_CHECKING:
    import aiohttp
    from ray.serve.handle import DeploymentHandle

    from deployments.streaming.gateway_connection import GatewayConnection
    from deployments.streaming.values import RecordValues

CONNECT_SECONDS = 10.0
_log = logging.getLogger("raygate.stream")


async def work(
    stream: PredictionStream,
    gateway_url: str,
    credential: str | None,
    figures: StreamFigures,
    stopping: asyncio.Event,
    gateway: GatewayConnection | None = None,
) -> None:
    """Be one worker of a stream until it is to stop.

    Args:
        stream: What is done.
        gateway_url: Base URL of the gateway, where nothing shorter leads to it.
        credential: Where the API key for it is; None where nobody is asked for one.
        figures: What is counted.
        stopping: Ends it.
        gateway: Something shorter.

    Raises:
        RaygateError: What the worker cannot go on with; records that are not out come again.
    """
    import aiohttp

    from deployments.streaming.gateway_calls import GatewayCalls
    from deployments.streaming.gateway_connection import HttpConnection
    from deployments.streaming.worker import StreamWorker

    connector = aiohttp.TCPConnector(limit=stream.spec.max_in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:
        values = _values(stream.spec, session)
        connection = gateway or HttpConnection(gateway_url, session)
        calls = GatewayCalls(stream.spec, values, connection, lambda: _key(credential), figures.retried)
        await StreamWorker(stream, calls, figures).run(stopping)


async def _gateway_of_this_cluster() -> GatewayConnection | None:
    """By Serve's handle, without HTTP; None if this process's cluster has none that takes joined requests."""
    from ray import serve

    from deployments.contracts import joint_call
    from deployments.streaming.serve_connection import ServeConnection

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            handle: DeploymentHandle[Any] = await asyncio.to_thread(serve.get_app_handle, GATEWAY)
            await handle.answer_together.remote(joint_call.to_plain([]))
    except Exception as error:  # no Serve, no such application, or one of an older release
        _log.info("no joined requests to %s: %s", GATEWAY, type(error).__name__)
        return None
    return ServeConnection(GATEWAY, handle.answer_together.remote)


def _key(credential: str | None) -> str | None:
    """The API key that a credential refers to, as it is now.

    Raises:
        SecretUnavailable: It is not there.
    """
    return None if credential is None else secret_reference.resolve(credential)


def _values(spec: StreamSpec, session: aiohttp.ClientSession) -> RecordValues:
    """How a stream's values are written.

    Raises:
        SecretUnavailable: The credential of the schema registry is not there.
    """
    if spec.schema_registry is None:
        from deployments.streaming.values import JsonValues

        return JsonValues()
    from deployments.streaming.avro_values import AvroValues
    from deployments.streaming.schema_registry import SchemaRegistry

    reference = spec.schema_registry_credential
    credential = None if reference is None else secret_reference.resolve(reference)
    registry = SchemaRegistry(spec.schema_registry, credential, session)
    return AvroValues(registry, spec.results, own=spec.endpoint is not None)


class StreamActor:
    """A worker as an actor: Ray starts its process again when it dies; Kafka gives it what was not committed."""

    def __init__(self, document: str, gateway_url: str, credential: str | None) -> None:
        self._stream = PredictionStream.model_validate_json(document)
        self._gateway_url, self._credential = gateway_url, credential
        self._figures, self._stopping = StreamFigures(), asyncio.Event()

    async def run(self) -> None:
        """Work until it is told to stop."""
        gateway = await _gateway_of_this_cluster()
        _log.info("the gateway is reached by %s", self._gateway_url if gateway is None else "Serve's handle")
        await work(self._stream, self._gateway_url, self._credential, self._figures, self._stopping, gateway)

    async def figures(self) -> StreamFigures:
        """What was counted since this process began."""
        return self._figures

    async def stop(self) -> None:
        """Finish what is under way."""
        self._stopping.set()
