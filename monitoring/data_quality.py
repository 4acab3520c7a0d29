"""Whether live rows are what training saw: missing values, numbers out of range, categories nobody knew."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.contracts.distributions import FeatureCounts
from deployments.contracts.reference_profile import FeatureReference


@dataclass(frozen=True, slots=True)
class FeatureQuality:
    """Shares of a feature's live rows.

    Attributes:
        null_ratio: Rows without a value.
        reference_null_ratio: The same among training rows.
        outside_ratio: Rows whose value training never saw: beyond the smallest or largest number, or an unknown
            category.
    """

    null_ratio: float
    reference_null_ratio: float
    outside_ratio: float

    @property
    def excess_nulls(self) -> float:
        """By how much more of the rows it is missing than in training."""
        return self.null_ratio - self.reference_null_ratio


def of(counts: FeatureCounts, reference: FeatureReference, rows: int, trained: int) -> FeatureQuality | None:
    """The quality of one feature, or None if no row has been seen in clear.

    Args:
        counts: Its live counts.
        reference: What training saw.
        rows: Live rows.
        trained: Training rows.
    """
    rows -= counts.encrypted
    if rows <= 0:
        return None
    return FeatureQuality(
        null_ratio=counts.nulls / rows,
        reference_null_ratio=reference.nulls / trained if trained else 0.0,
        outside_ratio=counts.outside / rows,
    )
