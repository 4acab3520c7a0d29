"""What a window says of one version: every feature, its scores, and the data set as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.contracts.distributions import Distributions, FeatureCounts, reference_cells
from deployments.contracts.reference_profile import FeatureReference, ReferenceProfile
from monitoring import data_quality
from monitoring.data_quality import FeatureQuality
from monitoring.drift import benjamini_hochberg
from monitoring.drift.comparison import Comparison, compare
from monitoring.drift.limits import DriftLimits, Level

DRIFTED = (Level.WARNING, Level.CRITICAL)


@dataclass(frozen=True, slots=True)
class VersionDrift:
    """One version in one window.

    Attributes:
        rows: Rows that it answered.
        features: By name; free text is not compared.
        quality: By feature name.
        score: Its scores against those on the validation rows; None if the package has no such reference.
    """

    rows: int
    features: dict[str, Comparison] = field(default_factory=dict)
    quality: dict[str, FeatureQuality] = field(default_factory=dict)
    score: Comparison | None = None

    @property
    def drifted_share(self) -> float | None:
        """Share of the judged features that have drifted, 0 to 1; None if none could be judged."""
        judged = [one for one in self.features.values() if one.level is not Level.NOT_ENOUGH_DATA]
        return sum(one.level in DRIFTED for one in judged) / len(judged) if judged else None

    def counted(self) -> dict[Level, int]:
        """Features by level, all levels named."""
        found = [one.level for one in self.features.values()]
        return {level: found.count(level) for level in Level}

    def worst(self, limit: int) -> list[tuple[str, Comparison]]:
        """At most so many features, the highest index first; those that were not judged come last."""
        ranked = sorted(self.features.items(), key=lambda item: (-(item[1].psi or 0.0), item[0]))
        return ranked[:limit]


def judge(reference: ReferenceProfile, live: Distributions, limits: DriftLimits) -> VersionDrift:
    """Compare a window with the reference of its package.

    Args:
        reference: Of the package that answered.
        live: Its rows in the window.
        limits: When to judge, and from where on it is drift.

    Raises:
        DistributionMismatch: The counts are not of this package.
    """
    known = {name: (counts, reference.features[name]) for name, counts in live.features.items()}
    compared = {
        name: _feature(of_training, counts, limits)
        for name, (counts, of_training) in known.items()
        if counts.cells
    }
    quality = {
        name: found
        for name, (counts, of_training) in known.items()
        if (found := data_quality.of(counts, of_training, live.rows, reference.rows))
    }
    score = reference.score
    scored = None if score is None else compare(score.counts, live.score, score.edges, limits)
    return VersionDrift(live.rows, _corrected(compared), quality, scored)


def _feature(reference: FeatureReference, counts: FeatureCounts, limits: DriftLimits) -> Comparison:
    if reference.histogram is not None:
        return compare(reference.histogram.counts, counts.cells, reference.histogram.edges, limits)
    # A category that training never saw is a cell of its own, which is empty in the reference.
    return compare((*reference_cells(reference), 0), (*counts.cells, counts.outside), None, limits)


def _corrected(compared: dict[str, Comparison]) -> dict[str, Comparison]:
    tested = {name: one.p_value for name, one in compared.items() if one.p_value is not None}
    corrected = dict(zip(tested, benjamini_hochberg.adjusted(list(tested.values())), strict=True))
    return {name: one.adjusted(corrected[name]) if name in corrected else one for name, one in compared.items()}
