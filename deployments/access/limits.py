"""How much a caller may send: requests by a token bucket, rows by the day. State of one gateway, bounded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from deployments.access.caller import Caller
from deployments.access.errors import QuotaExceeded, RateLimited
from deployments.access.policy import CallLimit, CallLimits

REMEMBERED_CALLERS = 10_000


@dataclass(slots=True)
class _Bucket:
    """Requests that one caller may send at once, refilled at a constant rate."""

    rate: float
    size: float
    tokens: float
    filled_at: float


class RateLimits:
    """Token buckets by caller (a request takes a token; tokens come back at the caller's rate).

    An idle caller's bucket is full and so as good as none: it is what is forgotten first when there are too many.

    Args:
        limits: Of all gateways together.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._gateways = 1
        self._buckets: dict[str, _Bucket | None] = {}

    def share_among(self, gateways: int) -> None:
        """Take this gateway's share of every limit; buckets begin anew, full."""
        if gateways != self._gateways:
            self._gateways, self._buckets = gateways, {}

    def take(self, caller: Caller, clock: float) -> None:
        """Count a request.

        Args:
            caller: Whose.
            clock: Seconds that only rise.

        Raises:
            RateLimited: The bucket is empty; the request was not counted.
        """
        try:
            bucket = self._buckets[caller.name]
        except KeyError:
            bucket = self._remember(caller, clock)
        if bucket is None:
            return
        tokens = min(bucket.size, bucket.tokens + (clock - bucket.filled_at) * bucket.rate)
        bucket.filled_at = clock
        if tokens < 1:
            bucket.tokens = tokens
            raise RateLimited(caller.name, bucket.rate, (1 - tokens) / bucket.rate)
        bucket.tokens = tokens - 1

    def _remember(self, caller: Caller, clock: float) -> _Bucket | None:
        if len(self._buckets) >= REMEMBERED_CALLERS:
            self._forget_idle(clock)
        bucket = self._new_bucket(self._limits.of(caller.name, caller.role), clock)
        self._buckets[caller.name] = bucket
        return bucket

    def _new_bucket(self, limit: CallLimit | None, clock: float) -> _Bucket | None:
        if limit is None or limit.requests_per_second is None:
            return None
        burst = limit.burst if limit.burst is not None else limit.requests_per_second
        # Below one token no request would ever pass.
        size = max(1.0, burst / self._gateways)
        return _Bucket(limit.requests_per_second / self._gateways, size, size, clock)

    def _forget_idle(self, clock: float) -> None:
        """Forget full buckets; where none is full, the older half."""
        busy = {
            name: bucket
            for name, bucket in self._buckets.items()
            if bucket and bucket.tokens + (clock - bucket.filled_at) * bucket.rate < bucket.size
        }
        names = list(busy)[len(busy) // 2 :] if len(busy) >= REMEMBERED_CALLERS else list(busy)
        self._buckets = {name: busy[name] for name in names}


class RowQuotas:
    """Rows by caller and UTC day. An allowance, not an invoice: a gateway that restarts begins at nought.

    Args:
        limits: Of all gateways together.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._gateways = 1
        self._day = datetime.min.date()
        self._used: dict[str, int] = {}

    def share_among(self, gateways: int) -> None:
        """Take this gateway's share of every quota; what was used stays used."""
        self._gateways = gateways

    def take(self, caller: Caller, rows: int, now: datetime) -> None:
        """Count the rows of a request.

        Args:
            caller: Whose.
            rows: All of the request, or none if they do not suffice.
            now: In UTC.

        Raises:
            QuotaExceeded: More than are left; none of them was counted.
        """
        limit = self._limits.of(caller.name, caller.role)
        if limit is None or limit.rows_per_day is None:
            return
        today = now.date()
        # Not "later than": a clock that was in another year for a moment must not close the gate until then.
        if today != self._day:
            self._day, self._used = today, {}
        share = max(1, limit.rows_per_day // self._gateways)
        used = self._used.get(caller.name, 0)
        if used + rows > share:
            midnight = datetime(today.year, today.month, today.day, tzinfo=now.tzinfo) + timedelta(days=1)
            raise QuotaExceeded(caller.name, share, max(0, share - used), (midnight - now).total_seconds())
        if used == 0 and len(self._used) >= REMEMBERED_CALLERS:
            self._used.pop(next(iter(self._used)))
        self._used[caller.name] = used + rows
