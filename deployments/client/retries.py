"""When a call is made again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

Outcome = httpx.Response | httpx.RequestError
_STATUSES = frozenset({429, 502, 503})  # 502 is a proxy's word for a connection that broke behind it
_FAILURES = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Attributes:
        attempts: Calls at the most; 1 never repeats.
        first_pause_seconds: Upper bound of the first pause; it doubles with every attempt.
        longest_pause_seconds: Upper bound of any pause. A server that asks for a longer one is not asked again.
    """

    attempts: int = 4
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0

    def pause(self, attempt: int, retry_after: float | None, draw: float) -> float | None:
        """Seconds to wait before the next attempt, or None to give up.

        Args:
            attempt: The one that failed, from 1.
            retry_after: What the server asked for, in seconds, or None.
            draw: Uniform random number in [0, 1).
        """
        if attempt >= self.attempts or (retry_after or 0) > self.longest_pause_seconds:
            return None
        backoff = draw * min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** (attempt - 1))
        return (retry_after or 0) + backoff


def is_worth_repeating(outcome: Outcome) -> bool:
    """Whether another attempt may end better.

    A server that is slow is not asked again: it would do the work twice, when it has too much of it already.
    """
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in _STATUSES
    return isinstance(outcome, _FAILURES)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds in the Retry-After header; None without one, and for the form with a date."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
