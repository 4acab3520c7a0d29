"""One call from its first attempt to its result, without doing any of it: shared by both clients."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import httpx
import orjson

from deployments.client.calls import Call
from deployments.client.errors import AnswerNotUnderstood, ApiError, ClientError, NoAnswer, kind_of
from deployments.client.retries import Outcome, RetryPolicy, is_worth_repeating, retry_after

Result = TypeVar("Result")


def exchange(
    call: Call[Result], url: str, retries: RetryPolicy, draw: Callable[[], float]
) -> Generator[float, Outcome, Result]:
    """Yields seconds to wait before the request is sent, takes what came of it, returns the call's result.

    Args:
        call: What is asked.
        url: Of the server, for errors.
        retries: Whether and when to ask again.
        draw: Uniform random number in [0, 1).

    Raises:
        ClientError: The last attempt's failure.
    """
    attempt, pause = 0, 0.0
    while True:
        attempt += 1
        outcome = yield pause
        wish = None
        if isinstance(outcome, httpx.Response):
            if outcome.status_code in call.answers:
                return _result(call, outcome, url)
            wish = retry_after(outcome)
        again = retries.pause(attempt, wish, draw()) if is_worth_repeating(outcome) else None
        if again is None:
            raise _failure(outcome, url, attempt) from (outcome if isinstance(outcome, Exception) else None)
        pause = again


def _result(call: Call[Result], response: httpx.Response, url: str) -> Result:
    try:
        return call.read(response.content)
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerNotUnderstood(f"{url}{call.path}", f"{type(error).__name__}: {error}") from error


def _failure(outcome: Outcome, url: str, attempts: int) -> ClientError:
    if not isinstance(outcome, httpx.Response):
        return NoAnswer(url, attempts, f"{type(outcome).__name__} {outcome}".strip())
    return _api_error(outcome)


def _api_error(response: httpx.Response) -> ApiError:
    """The API's own words, or the status where something before the API answered."""
    try:
        document = orjson.loads(response.content)
        error, details, code = (str(document.get(name, "")) for name in ("error", "details", "code"))
    except (orjson.JSONDecodeError, AttributeError):
        error, details, code = "", "", ""
    kind = kind_of(response.status_code, code)
    return kind(
        response.status_code,
        code,
        error or f"HTTP status {response.status_code}",
        details or response.reason_phrase,
        retry_after(response),
    )
