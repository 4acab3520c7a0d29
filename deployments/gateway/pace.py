"""How fast a pool is, from what the gateway sees of it."""

from __future__ import annotations

from collections import deque

DRAIN_WINDOW_SECONDS = 0.2
DRAIN_WINDOWS = 4
PACE_MEMORY = 0.9
STALLED = 4.0
ALIKE = 0.05
PROBING_GROWTH, STEEPEST_GROWTH = 1.25, 2.0
STRANGELY_LONG = 20
SHORTEST_PATIENCE_SECONDS = 0.5


class Drain:
    """How fast rows leave a queue while it is never empty: what its pool can do, as it is now.

    One stalled call says nothing of that, so the best of several windows counts, and one alone counts for nothing.

    Args:
        now: Time of the clock at which the queue began to fill.
    """

    def __init__(self, now: float) -> None:
        self._since, self._rows = now, 0
        self._rates: deque[float] = deque(maxlen=DRAIN_WINDOWS)

    @property
    def rows_per_second(self) -> float | None:
        """None as long as it cannot be told."""
        return max(self._rates) if len(self._rates) > 1 else None

    def took(self, rows: int, now: float) -> None:
        """Count rows that leave now. They keep the pool busy from now on, so they belong to the next window."""
        elapsed = now - self._since
        if elapsed >= DRAIN_WINDOW_SECONDS:
            self._rates.append(self._rows / elapsed)
            self._since, self._rows = now, 0
        self._rows += rows


class Pace:
    """How long a pool takes for a call and for each row in it, so that no call is made larger than it should be.

    A large call from a slow pool would keep all that come after it waiting, and one deadline would cover them all.
    Where a call costs much whatever its size, on the other hand, only large calls make it worth its price. So both
    are told apart by a least-squares line through the latest calls, the latest of which weigh most.
    """

    def __init__(self) -> None:
        self._weight = self._rows = self._seconds = self._squares = self._products = 0.0
        self._largest = 1.0

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a call that was answered; one that stalled is taken for a few times slower, no more."""
        if self._weight:
            seconds = min(seconds, STALLED * self._expected(rows))
        self._weight = PACE_MEMORY * self._weight + 1
        self._rows = PACE_MEMORY * self._rows + rows
        self._seconds = PACE_MEMORY * self._seconds + seconds
        self._squares = PACE_MEMORY * self._squares + rows * rows
        self._products = PACE_MEMORY * self._products + rows * seconds
        self._largest = max(rows, PACE_MEMORY * self._largest)

    def rows_within(self, seconds: float, limit: int) -> int:
        """Rows that a call of this many seconds holds; at least 1, at most the limit.

        Where the call alone takes more than half of the seconds, the rows may take as long as the call: half of
        the pool's time is then theirs. Calls grow step by step, as the line says nothing far from where it was
        measured, and where all calls were alike a little more than before is tried, to see what a row costs.
        """
        if not self._seconds:
            return limit
        line = self._line()
        if line is None:
            fitting = max(seconds * self._rows / self._seconds, PROBING_GROWTH * self._largest + 1)
        else:
            fixed, per_row = line
            room, most = max(seconds - fixed, fixed), STEEPEST_GROWTH * self._largest
            fitting = room / per_row if per_row * most > room else most
        return max(1, min(limit, int(fitting)))

    def patience_seconds(self, rows: int, at_most: float) -> float:
        """After which a call of this many rows takes strangely long.

        Twenty times what it should take, but at least half a second, which a busy machine may lose by itself.
        """
        if not self._weight:
            return at_most
        return min(at_most, max(SHORTEST_PATIENCE_SECONDS, STRANGELY_LONG * self._expected(rows)))

    def _expected(self, rows: int) -> float:
        """Seconds of a call. Where it cannot be told what a row costs, fewer rows may take as long as more."""
        line = self._line()
        if line is None:
            return self._seconds / self._weight * max(1.0, rows * self._weight / self._rows)
        return line[0] + line[1] * rows

    def _line(self) -> tuple[float, float] | None:
        """Seconds of a call and of each row; None where the calls were too much alike to tell them apart."""
        rows, seconds = self._rows / self._weight, self._seconds / self._weight
        variance = self._squares / self._weight - rows * rows
        if variance < (ALIKE * rows) ** 2:
            return None
        per_row = max(0.0, (self._products / self._weight - rows * seconds) / variance)
        fixed = seconds - per_row * rows
        return (fixed, per_row) if fixed > 0 else (0.0, seconds / rows)
