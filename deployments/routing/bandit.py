"""Thompson sampling in batches: how much traffic each arm earns from the feedback so far.

Sampling one posterior draw a request sends it to an arm with the probability that this arm is the best. That
probability is computed here, and becomes the arm's share of the slot table: the same algorithm, with the
propensity of every assignment known exactly, and the same in every gateway that has seen the same counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deployments.contracts.model_version import Version

GRID = 2001  # points over [0, 1]
SHARE_STEP = 0.5  # percent; smaller differences are noise and would only move units about


@dataclass(frozen=True, slots=True)
class Arm:
    """Feedback on one version, as far as it was counted.

    Attributes:
        successes: Feedback that met the goal.
        failures: Feedback that did not.
    """

    successes: int = 0
    failures: int = 0


def weights(arms: Mapping[Version, Arm], floor: float) -> dict[Version, float]:
    """Percentages of the arms; they add up to 100.

    An arm's share is the probability that its success rate is the highest, under independent Beta(1 + successes,
    1 + failures) posteriors, raised to the floor. Without feedback the shares are equal.

    Thompson, W. R. (1933), "On the likelihood that one unknown probability exceeds another in view of the evidence
    of two samples", Biometrika 25, 285-294.

    >>> one, two = Version(1, 0, 0), Version(1, 1, 0)
    >>> weights({one: Arm(), two: Arm()}, floor=5)
    {Version(major=1, minor=0, patch=0): 50.0, Version(major=1, minor=1, patch=0): 50.0}
    >>> weights({one: Arm(50, 950), two: Arm(90, 910)}, floor=5)[two]
    95.0

    Args:
        arms: Two versions or more.
        floor: Least percentage of each.

    Raises:
        ValueError: Fewer than two arms, or floors that add up to more than 100.
    """
    if len(arms) < 2 or floor * len(arms) > 100:
        raise ValueError(f"{len(arms)} arms with a floor of {floor:g} per cent each")
    versions = sorted(arms)
    best = probabilities_best([arms[version] for version in versions])
    free = 100 - floor * len(versions)
    shares = {
        version: floor + round(free * share / SHARE_STEP) * SHARE_STEP
        for version, share in zip(versions, best, strict=True)
    }
    leader = max(versions, key=lambda version: shares[version])
    shares[leader] += 100 - sum(shares.values())
    return shares


def probabilities_best(arms: Sequence[Arm]) -> list[float]:
    """Probability of each arm that its success rate is the highest.

    The integral of its density times the others' distribution functions, on a grid that is fine where the
    posteriors have their mass.
    """
    points = _grid(arms)
    densities = np.array([_density(arm, points) for arm in arms])
    steps = np.diff(points)
    cumulative = np.concatenate(
        [np.zeros((len(arms), 1)), np.cumsum((densities[:, 1:] + densities[:, :-1]) / 2 * steps, axis=1)], axis=1
    )
    totals = cumulative[:, -1:]
    densities, cumulative = densities / totals, cumulative / totals
    shares = []
    for position in range(len(arms)):
        others = np.prod(np.delete(cumulative, position, axis=0), axis=0)
        shares.append(float(np.trapezoid(densities[position] * others, points)))
    total = sum(shares)
    return [share / total for share in shares]


def _density(arm: Arm, points: np.ndarray) -> np.ndarray:
    """Beta(1 + successes, 1 + failures) up to a factor; the highest point is 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.where(points > 0, np.log(points), -np.inf) * arm.successes if arm.successes else 0.0
        other = np.where(points < 1, np.log1p(-points), -np.inf) * arm.failures if arm.failures else 0.0
    log_density = np.asarray(logarithm + other + np.zeros_like(points))
    density: np.ndarray = np.exp(log_density - log_density.max())
    return density


def _grid(arms: Sequence[Arm]) -> np.ndarray:
    """Even points over [0, 1], and as many within eight deviations around each posterior's mean."""
    parts = [np.linspace(0, 1, GRID)]
    for arm in arms:
        alpha, beta = 1 + arm.successes, 1 + arm.failures
        mean = alpha / (alpha + beta)
        deviation = (mean * (1 - mean) / (alpha + beta + 1)) ** 0.5
        parts.append(np.linspace(max(0.0, mean - 8 * deviation), min(1.0, mean + 8 * deviation), GRID))
    grid: np.ndarray = np.unique(np.concatenate(parts))
    return grid
