"""What is allowed in training rows and yet worth knowing."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.contracts.feature_schema import FeatureKind, FeatureSchema
from training import data

MINORITY = 0.05
"""A label with a smaller share of the rows deserves a word."""


def find(parts: data.TrainingData, schema: FeatureSchema) -> Iterator[str]:
    """Give a sentence for each thing that is worth knowing."""
    train = parts.train.features
    for feature in schema.features:
        if train[feature.name].nunique(dropna=False) == 1:
            yield f"{feature.name} holds one value in every training row; nothing can be learnt from it"
        if feature.kind is FeatureKind.CATEGORY:
            later = {
                str(value) for part in (parts.validation, parts.test) for value in _present(part, feature.name)
            }
            if unseen := sorted(later - set(feature.categories)):
                shown = ", ".join(unseen[:5])
                yield f"{feature.name} has categories that no training row has: {shown}; they score as unknown"
    for label, share in parts.train.target.value_counts(normalize=True).items() if parts.classes else []:
        if share < MINORITY:
            yield f"only {share:.1%} of the training rows are {label!r}; accuracy alone says little"


def _present(part: data.Part, name: str) -> list[object]:
    values: list[object] = part.features[name].dropna().unique().tolist()
    return values
