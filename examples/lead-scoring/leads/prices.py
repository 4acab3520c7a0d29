"""What a policy costs: base premiums by date, and what the market adds."""

from __future__ import annotations

from datetime import UTC, date, datetime

BASE_PREMIUMS: tuple[tuple[date, dict[str, float]], ...] = (
    (date(2026, 1, 1), {"auto": 620.0, "home": 410.0, "health": 2350.0, "life": 540.0}),
    (date(2026, 7, 1), {"auto": 655.0, "home": 425.0, "health": 2480.0, "life": 540.0}),
)
"""A year's premium in euros from a day on, oldest first; what is older than the first costs as then."""

PEAK_HOURS = frozenset({9, 10, 11, 17, 18, 19})
"""Hours (UTC) of working days at which most leads are asked for."""
PEAK, OFF_PEAK = 1.2, 1.0
RENEWAL_MONTHS = frozenset({1, 11, 12})
"""Months in which most policies end and insurers compete for them."""
RENEWAL, REST_OF_YEAR = 0.95, 1.0


def base_premium(vertical: str, at: datetime) -> float:
    """The year's premium of a vertical on a day."""
    day = at.astimezone(UTC).date()
    in_force = [prices for since, prices in BASE_PREMIUMS if since <= day] or [BASE_PREMIUMS[0][1]]
    return in_force[-1][vertical]


def market_factors(at: datetime) -> dict[str, float]:
    """What the moment does to a price, factor by factor."""
    moment = at.astimezone(UTC)
    is_peak = moment.weekday() < 5 and moment.hour in PEAK_HOURS
    return {
        "peak_hours": PEAK if is_peak else OFF_PEAK,
        "renewal_season": RENEWAL if moment.month in RENEWAL_MONTHS else REST_OF_YEAR,
    }
