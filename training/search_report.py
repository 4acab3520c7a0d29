"""What a trial tells Tune: what it reaches after some of its rounds, and the best that it has reached so far."""

from __future__ import annotations

import math

VALUE, ROUNDS = "value", "rounds"
"""Of the latest report."""
BEST, BEST_ROUNDS = "best", "best_rounds"
"""Of the best report until then: more rounds may have made the model worse."""


class Reporter:
    """Tells Tune of one trial, in whose process it is.

    Args:
        mode: ``min`` or ``max``.
    """

    def __init__(self, mode: str) -> None:
        self._sign = 1 if mode == "max" else -1
        self._best, self._best_rounds = math.nan, 0

    def __call__(self, rounds: int, value: float) -> None:
        """Report a value; 0 rounds where nobody counts them."""
        from ray import tune

        if math.isnan(self._best) or self._sign * value > self._sign * self._best:
            self._best, self._best_rounds = value, rounds
        tune.report({VALUE: value, ROUNDS: rounds, BEST: self._best, BEST_ROUNDS: self._best_rounds})
