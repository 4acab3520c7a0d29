"""Tells a record at which the model hangs or dies from an outage, in which all records fail. No clock.

Whoever fails with such a record may only have kept it company: the gateway joins rows, and a replica that hangs
answers nobody. So a record that goes on failing while others come out is first asked about alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SIGNS = 3
"""Failures, others having come out before each, that make a record a suspect."""
FAILURES_ALONE = 3
"""Failures of a suspect that was asked about alone after which it is the record."""
WITNESSES = 10
"""Records that must have come out since another one failed, for such a failure to count."""
MOST_AT_ONCE = 3
"""More suspects than this at a time are an outage of some part, of one version for instance."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 480.0
"""Between failures alone: Serve replaces a replica that hangs after 30 s, and others want to be answered too."""


class Suspects:
    """What a worker knows of the records that fail."""

    def __init__(self) -> None:
        self.came_out = self.in_a_row = 0
        self.names: set[str] = set()
        self.turn = asyncio.Lock()


class Trial:
    """Of one record, from its first attempt to its last.

    Args:
        suspects: Of its worker.
        name: Of the record.
    """

    def __init__(self, suspects: Suspects, name: str) -> None:
        self._suspects, self._name = suspects, name
        self._came_out, self._signs = suspects.came_out, 0
        self._alone = self._counted = 0
        self._is_fair = False

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Held while it is asked about: suspects one after the other."""
        if not self._is_suspect():
            yield
            return
        async with self._suspects.turn:
            are_few = len(self._suspects.names) <= MOST_AT_ONCE
            self._is_fair = are_few and self._suspects.in_a_row >= WITNESSES
            yield

    def pause_seconds(self, draw: float) -> float:
        """How long a suspect that failed alone is left alone; 0 for any other record.

        Args:
            draw: Uniform random number in [0, 1): else who failed together would fail together again.
        """
        if not self._alone:
            return 0.0
        return (0.5 + draw) * min(FIRST_PAUSE_SECONDS * 2.0 ** (self._alone - 1), LONGEST_PAUSE_SECONDS)

    def _is_suspect(self) -> bool:
        return self._signs >= SIGNS

    def answered(self) -> None:
        """It came out."""
        self._suspects.came_out += 1
        self._suspects.in_a_row += 1

    def failed(self) -> bool:
        """Whether it is the record, now that it failed once more in a way that may be its own."""
        if self._is_suspect():
            self._alone += 1
            self._counted += self._is_fair
            return self._counted >= FAILURES_ALONE
        self._suspects.in_a_row = 0
        self._signs += self._suspects.came_out > self._came_out
        self._came_out = self._suspects.came_out
        if self._is_suspect():
            self._suspects.names.add(self._name)
        return False

    def close(self) -> None:
        """Forget it."""
        self._suspects.names.discard(self._name)
