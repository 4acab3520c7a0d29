"""The part of a document that shows what live traffic is compared with."""

from __future__ import annotations

from deployments.contracts.feature_schema import Feature, FeatureSchema
from deployments.contracts.reference_profile import FeatureReference, ReferenceProfile
from training.documents import plots
from training.documents.section import Plot, Section, Table

SHOWN_PLOTS = 24
SHOWN_CATEGORIES = 8


def section(
    schema: FeatureSchema,
    reference: ReferenceProfile,
    held: str = "training rows held, and the scores of the validation rows",
) -> Section:
    """Distribution of every feature and of the score.

    What training saw of personal data is personal data: such a feature shows its share of nulls alone.

    Args:
        schema: The features.
        reference: The baseline.
        held: Whose rows these are.
    """
    text = f"What {reference.rows} {held}. Drift is measured against these bins and counts."
    rows = tuple(_row(feature, reference) for feature in schema.features)
    drawn = [] if reference.score is None else [Plot("Score", plots.histogram(reference.score))]
    for feature in schema.features:
        found = reference.features[feature.name]
        if not feature.pii and len(drawn) < SHOWN_PLOTS:
            drawn += _plot(feature, found)
    tables = [Table(("feature", "null", "distribution"), rows)]
    if reference.labels:
        total = sum(reference.labels.values())
        shares = tuple((label, f"{count / total:.1%}") for label, count in reference.labels.items())
        tables.append(Table(("returned label", "share"), shares))
    return Section("Drift baseline", text, tuple(tables), tuple(drawn))


def _row(feature: Feature, reference: ReferenceProfile) -> tuple[str, ...]:
    found = reference.features[feature.name]
    return (feature.name, f"{found.nulls / reference.rows:.1%}", "" if feature.pii else _distribution(found))


def _distribution(found: FeatureReference) -> str:
    if found.histogram is not None:
        edges = ", ".join(f"{edge:.4g}" for edge in found.histogram.edges)
        return f"{len(found.histogram.counts)} bins with edges {edges}"
    total = sum(found.categories.values()) or 1
    shown = list(found.categories.items())[:SHOWN_CATEGORIES]
    more = f" and {len(found.categories) - len(shown)} more" if len(found.categories) > len(shown) else ""
    return ", ".join(f"{name} {count / total:.1%}" for name, count in shown) + more


def _plot(feature: Feature, found: FeatureReference) -> list[Plot]:
    if found.histogram is not None:
        return [Plot(feature.name, plots.histogram(found.histogram))]
    if found.categories:
        total = sum(found.categories.values())
        shares = {name: count / total for name, count in list(found.categories.items())[:SHOWN_CATEGORIES]}
        return [Plot(feature.name, plots.bars(shares))]
    return []
