"""One feature, or the score, of a window against its reference: every method at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitoring.drift import chi_square, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
from monitoring.drift.cells import merged
from monitoring.drift.limits import DriftLimits, Level


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far live rows are from the reference. Figures are None where there is not enough data.

    Attributes:
        rows: Live rows that were compared, nulls left out.
        level: What the index says, or that there is not enough data.
        psi: Population stability index.
        psi_without_shift: What the index would stay below if nothing had moved, with the limits' certainty.
        jensen_shannon: Distance, 0 to 1.
        wasserstein: Distance in standard deviations of the reference; None for categories.
        p_value: Of Kolmogorov-Smirnov for numbers, of chi-square for categories.
        adjusted_p_value: The same, corrected over the features that were compared together.
    """

    rows: int
    level: Level
    psi: float | None = None
    psi_without_shift: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    p_value: float | None = None
    adjusted_p_value: float | None = None

    def adjusted(self, p_value: float) -> Comparison:
        """With the p-value that is left after correction."""
        return replace(self, adjusted_p_value=p_value)


def compare(
    reference: Sequence[int], current: Sequence[int], edges: Sequence[float] | None, limits: DriftLimits
) -> Comparison:
    """Compare counts over the same cells.

    Args:
        reference: Training rows by cell.
        current: Live rows by cell.
        edges: Of the bins of a number; None for categories, whose cells have no order.
        limits: When to judge, and from where on it is drift.

    Raises:
        DistributionMismatch: The numbers of cells differ: they are not of one package.
    """
    rows, trained = sum(current), sum(reference)
    if not rows or not trained:
        return Comparison(rows, Level.NOT_ENOUGH_DATA)
    left, right = merged(reference, current)
    noise = psi.quantile_without_shift(len(left), trained, rows, limits.certainty)
    if len(left) < 2 or noise >= limits.warning:  # with one cell left there is nothing that could differ
        return Comparison(rows, Level.NOT_ENOUGH_DATA, psi_without_shift=noise)
    index = psi.score(left, right)
    test = (
        chi_square.on_cells(reference, current)
        if edges is None
        else kolmogorov_smirnov.on_bins(reference, current)
    )
    return Comparison(
        rows=rows,
        level=limits.level(index),
        psi=index,
        psi_without_shift=noise,
        jensen_shannon=jensen_shannon.distance(left, right),
        wasserstein=None if edges is None else wasserstein.on_bins(edges, reference, current),
        p_value=test.p_value,
    )
