"""Benjamini-Hochberg: p-values of many features, so that a false discovery stays rare however many there are.

With p-values p(1) <= ... <= p(n), the adjusted value of the k-th is

    min over j >= k of  p(j) * n / j

Features whose adjusted value is at most a are discoveries of which at most a share a is false in expectation, for
tests that are independent or positively dependent (Y. Benjamini and Y. Hochberg, Controlling the false discovery
rate, Journal of the Royal Statistical Society B 57, 1995). Without any shift the chance of even one alarm is at
most a.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats


def adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """The adjusted p-values, in the order given; none for none.

    >>> adjusted([0.01, 0.04, 0.03])
    (0.03, 0.04, 0.04)
    """
    if not p_values:
        return ()
    return tuple(float(value) for value in stats.false_discovery_control(list(p_values), method="bh"))
