"""When to leave a failing store alone."""

from __future__ import annotations


class CircuitBreaker:
    """Opens after consecutive failures; from then on one call a pause finds out whether the store is back.

    Args:
        failures: Consecutive failures that open it.
        pause_seconds: Between two calls while it is open.
    """

    def __init__(self, failures: int = 3, pause_seconds: float = 5.0) -> None:
        self._limit, self._pause_seconds = failures, pause_seconds
        self._failures = 0
        self._next_trial = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the store is left alone but for trials."""
        return self._failures >= self._limit

    def allows(self, now: float) -> bool:
        """Whether a call may be made at this monotonic time; while it is open, saying yes uses the trial up."""
        if not self.is_open:
            return True
        if now < self._next_trial:
            return False
        self._next_trial = now + self._pause_seconds
        return True

    def succeeded(self) -> None:
        """A call was answered: closed again."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """A call failed or took too long."""
        self._failures += 1
        if self._failures == self._limit:
            self._next_trial = now + self._pause_seconds
