"""The clients: the same calls, blocking and for asyncio."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar, Unpack, overload

import httpx

from deployments.client import calls
from deployments.client.calls import Call, Features, PredictOptions
from deployments.client.exchange import exchange
from deployments.client.retries import Outcome, RetryPolicy
from deployments.contracts.prediction import FeedbackResponse, Prediction, PredictResponse, PredictRowsResponse
from deployments.contracts.status import Health, Readiness, ServedModel

LOCAL = "http://127.0.0.1:8000"
TIMEOUT_SECONDS = 15.0  # longer than an endpoint's usual deadline, so that the server can say what happened
CONNECT_SECONDS = 5.0
RETRIES = RetryPolicy()
Result = TypeVar("Result")


class Client:
    """Calls of the API that block. Safe to share between threads; keeps its connections open.

    Args:
        base_url: Of the gateway.
        api_key: Sent as ``x-api-key``.
        token: JSON web token, sent as ``authorization: Bearer``.
        timeout_seconds: For one attempt.
        retries: Whether and when a call is repeated.
        verify: TLS context, for certificates of one's own authority.
        transport: Takes the place of the network in tests.
    """

    def __init__(
        self,
        base_url: str = LOCAL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: RetryPolicy = RETRIES,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        options = _options(base_url, api_key, token, timeout_seconds)
        self._http = httpx.Client(**options, verify=verify, transport=transport)
        self._retries = retries

    @overload
    def predict(self, model_id: str, features: Features, **options: Unpack[PredictOptions]) -> PredictResponse: ...
    @overload
    def predict(
        self, model_id: str, features: Sequence[Features], **options: Unpack[PredictOptions]
    ) -> PredictRowsResponse: ...
    def predict(
        self, model_id: str, features: Features | Sequence[Features], **options: Unpack[PredictOptions]
    ) -> PredictResponse | PredictRowsResponse:
        """Predict one row, or a list of rows in one request.

        Args:
            model_id: Name of the endpoint.
            features: Values by feature name; None and NaN are null. A list gets a list of answers.
            **options: See ``PredictOptions``.

        Raises:
            ClientError: See ``deployments.client.errors``.
        """
        return self._run(calls.predict(model_id, features, options))

    def feedback(
        self,
        prediction_id: str,
        label: Prediction | None = None,
        value: float | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> FeedbackResponse:
        """Tell what became of a prediction.

        Args:
            prediction_id: Of the prediction that is judged.
            label: The true label, or the true value of a regression.
            value: A business outcome, such as revenue.
            idempotency_key: Feedback of a prediction with the same key counts once, whoever repeats it. Without
                one the content is the key: the same said again counts once. Give one each where the same is meant
                twice, such as two purchases of one value.

        Raises:
            ClientError: See ``deployments.client.errors``.
        """
        return self._run(calls.feedback(prediction_id, label, value, idempotency_key))

    def models(self) -> tuple[ServedModel, ...]:
        """Every endpoint with its versions, weights, features and metrics."""
        return self._run(calls.models())

    def health(self, model_id: str | None = None) -> Health:
        """Health of one endpoint, or of all."""
        return self._run(calls.health(model_id))

    def ready(self) -> Readiness:
        """Whether the stable version of every endpoint can answer."""
        return self._run(calls.ready())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _run(self, call: Call[Result]) -> Result:
        steps = exchange(call, str(self._http.base_url), self._retries, random.random)
        pause = next(steps)
        while True:
            time.sleep(pause)
            try:
                pause = steps.send(self._send(call))
            except StopIteration as done:
                result: Result = done.value
                return result

    def _send(self, call: Call[Any]) -> Outcome:
        try:
            return self._http.request(**_request(call))
        except httpx.RequestError as error:
            return error


class AsyncClient:
    """Calls of the API for asyncio; the arguments and methods of ``Client``, for one event loop."""

    def __init__(
        self,
        base_url: str = LOCAL,
        *,
        api_key: str | None = None,
        token: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: RetryPolicy = RETRIES,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        options = _options(base_url, api_key, token, timeout_seconds)
        self._http = httpx.AsyncClient(**options, verify=verify, transport=transport)
        self._retries = retries

    @overload
    async def predict(
        self, model_id: str, features: Features, **options: Unpack[PredictOptions]
    ) -> PredictResponse: ...
    @overload
    async def predict(
        self, model_id: str, features: Sequence[Features], **options: Unpack[PredictOptions]
    ) -> PredictRowsResponse: ...
    async def predict(
        self, model_id: str, features: Features | Sequence[Features], **options: Unpack[PredictOptions]
    ) -> PredictResponse | PredictRowsResponse:
        """See ``Client.predict``."""
        return await self._run(calls.predict(model_id, features, options))

    async def feedback(
        self,
        prediction_id: str,
        label: Prediction | None = None,
        value: float | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> FeedbackResponse:
        """See ``Client.feedback``."""
        return await self._run(calls.feedback(prediction_id, label, value, idempotency_key))

    async def models(self) -> tuple[ServedModel, ...]:
        """See ``Client.models``."""
        return await self._run(calls.models())

    async def health(self, model_id: str | None = None) -> Health:
        """See ``Client.health``."""
        return await self._run(calls.health(model_id))

    async def ready(self) -> Readiness:
        """See ``Client.ready``."""
        return await self._run(calls.ready())

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.close()

    async def _run(self, call: Call[Result]) -> Result:
        steps = exchange(call, str(self._http.base_url), self._retries, random.random)
        pause = next(steps)
        while True:
            await asyncio.sleep(pause)
            try:
                pause = steps.send(await self._send(call))
            except StopIteration as done:
                result: Result = done.value
                return result

    async def _send(self, call: Call[Any]) -> Outcome:
        try:
            return await self._http.request(**_request(call))
        except httpx.RequestError as error:
            return error


def _options(base_url: str, api_key: str | None, token: str | None, timeout_seconds: float) -> dict[str, Any]:
    """What both kinds of HTTP client are made with."""
    headers = {"accept": "application/json", "user-agent": "raygate-client"}
    if api_key is not None:
        headers["x-api-key"] = api_key
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, CONNECT_SECONDS))
    return {"base_url": base_url, "headers": headers, "timeout": timeout}


def _request(call: Call[Any]) -> dict[str, Any]:
    headers = dict(call.headers)
    if call.content is not None:
        headers["content-type"] = b"application/json"
    return {
        "method": call.method,
        "url": call.path,
        "content": call.content,
        "params": call.parameters,
        "headers": headers,
    }
