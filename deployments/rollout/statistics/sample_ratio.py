"""Whether units were divided as planned: a sample-ratio mismatch makes every comparison worthless.

    chi^2 = sum (observed - expected)^2 / expected,  degrees of freedom = arms - 1

Source: Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD (2019), who
recommend a threshold far below 0.05, because the check is made again and again.
"""

from __future__ import annotations

from collections.abc import Mapping

from scipy import special

MISMATCH_BELOW = 0.0005


def p_value(observed: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Probability of counts at least this far from the planned shares, if the division works.

    Args:
        observed: Units by arm.
        shares: Planned, by arm, in any unit.

    Raises:
        ValueError: Arms differ, there are fewer than two, a share is not positive, or there is no unit.

    >>> round(p_value({"a": 821, "b": 869}, {"a": 50, "b": 50}), 4)
    0.2429
    """
    if observed.keys() != shares.keys() or len(shares) < 2 or min(shares.values()) <= 0:
        raise ValueError("needs two arms or more, each with a positive share and a count")
    units, whole = sum(observed.values()), sum(shares.values())
    if units < 1:
        raise ValueError("no unit was assigned")
    expected = {arm: units * share / whole for arm, share in shares.items()}
    statistic = sum((observed[arm] - expected[arm]) ** 2 / expected[arm] for arm in shares)
    return float(special.chdtrc(len(shares) - 1, statistic))
