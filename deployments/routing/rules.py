"""Whether a request meets the condition of a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deployments.contracts.traffic_policy import Condition


def matches(
    condition: Condition, unit: str | None, header: Callable[[str], str | None], row: Mapping[str, Any]
) -> bool:
    """Whether all that the condition names holds.

    Numbers are equal by value (30 and 30.0), texts exactly; ``true`` is not 1.

    Args:
        condition: Of the rule.
        unit: The caller's sticky unit, or None.
        header: The request's headers by lower-case name.
        row: Features of the first row, as they were sent.
    """
    return (
        (not condition.units or unit in condition.units)
        and all(header(name.lower()) == wanted for name, wanted in condition.header.items())
        and all(_equal(row.get(name), wanted) for name, wanted in condition.feature.items())
    )


def _equal(found: object, wanted: object) -> bool:
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
