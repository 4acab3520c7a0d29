"""Whether every version of an endpoint accepts what its stable version accepts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.contracts.feature_schema import FeatureSchema


def narrower(stable: FeatureSchema, other: FeatureSchema) -> tuple[str, ...]:
    """What another version refuses though stable accepts it; callers do not know which of the two they get.

    A category that training never saw is accepted by every version, and a text is as good as a category.

    Returns:
        One sentence for each feature; none if every request that is right for stable is right for the other.
    """
    return tuple(_refusals(stable, other))


def _refusals(stable: FeatureSchema, other: FeatureSchema) -> Iterator[str]:
    theirs = {feature.name: feature for feature in stable.features}
    ours = {feature.name: feature for feature in other.features}
    for name in theirs:
        if name not in ours:
            yield f"it knows no feature {name}"
    for name, feature in ours.items():
        known = theirs.get(name)
        if known is None:
            if not feature.nullable:
                yield f"it requires {name}, which stable does not know"
        elif feature.kind.is_numeric != known.kind.is_numeric or (
            feature.kind.is_numeric and feature.kind is not known.kind
        ):
            yield f"its {name} is a {feature.kind.value}, stable's a {known.kind.value}"
        elif known.nullable and not feature.nullable:
            yield f"its {name} may not be null"
