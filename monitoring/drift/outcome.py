"""What a test of homogeneity found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a test of "both are drawn from one distribution".

    Attributes:
        statistic: What the test measures.
        p_value: Probability of a statistic at least this large if it is so.
    """

    statistic: float
    p_value: float
