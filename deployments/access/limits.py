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
    """What is gone of the requests that one caller may send at once; it comes back at a constant rate.

    What is gone is kept, not what is left: it means the same under every limit, so that another credential of the
    caller neither fills the bucket nor finds it emptier than it is.
    """

    limit: CallLimit
    rate: float
    size: float
    gone: float
    changed_at: float

    def gone_at(self, clock: float) -> float:
        return max(0.0, self.gone - (clock - self.changed_at) * self.rate)


class RateLimits:
    """Token buckets by caller (a request takes a token; tokens come back at the caller's rate).

    An idle caller's bucket is full and so as good as none: it is what is forgotten first when there are too many.

    Args:
        limits: Of all gateways together.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._gateways = 1
        self._buckets: dict[str, _Bucket] = {}

    def share_among(self, gateways: int) -> None:
        """Take this gateway's share of every limit; buckets begin anew, full."""
        if gateways != self._gateways:
            self._gateways, self._buckets = gateways, {}

    def take(self, caller: Caller, clock: float) -> None:
        """Count a request.

        Args:
            caller: Whose. What its present credential may counts, not what an earlier one might.
            clock: Seconds that only rise.

        Raises:
            RateLimited: The bucket is empty; the request was not counted.
        """
        limit = self._limits.of(caller.name, caller.role)
        if limit is None or limit.requests_per_second is None:
            return
        bucket = self._buckets.get(caller.name)
        if bucket is None or bucket.limit is not limit:
            bucket = self._remember(caller.name, limit, limit.requests_per_second, clock)
        gone = bucket.gone_at(clock)
        if gone > bucket.size - 1:
            raise RateLimited(caller.name, bucket.rate, (gone + 1 - bucket.size) / bucket.rate)
        bucket.gone, bucket.changed_at = gone + 1, clock

    def _remember(self, name: str, limit: CallLimit, requests_per_second: float, clock: float) -> _Bucket:
        before = self._buckets.get(name)
        if before is None and len(self._buckets) >= REMEMBERED_CALLERS:
            self._forget_idle(clock)
        burst = limit.burst if limit.burst is not None else requests_per_second
        # Below one token no request would ever pass.
        size = max(1.0, burst / self._gateways)
        gone = before.gone_at(clock) if before else 0.0
        bucket = self._buckets[name] = _Bucket(limit, requests_per_second / self._gateways, size, gone, clock)
        return bucket

    def _forget_idle(self, clock: float) -> None:
        """Forget full buckets; where none is full, the older half."""
        busy = {name: bucket for name, bucket in self._buckets.items() if bucket.gone_at(clock) > 0}
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

    def limits(self, caller: Caller) -> bool:
        """Whether a caller's rows are counted at all."""
        limit = self._limits.of(caller.name, caller.role)
        return limit is not None and limit.rows_per_day is not None

    def give_back(self, caller: Caller, rows: int) -> None:
        """Take rows off the count that were taken and are not predicted after all."""
        if caller.name in self._used:
            self._used[caller.name] = max(0, self._used[caller.name] - rows)

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
