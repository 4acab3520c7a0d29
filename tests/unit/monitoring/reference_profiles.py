"""Reference profiles and windows drawn from known distributions, for the tests of this folder."""

import numpy as np

from deployments.contracts.distributions import Distributions, FeatureCounts
from deployments.contracts.reference_profile import FeatureReference, Histogram, ReferenceProfile

BINS = 10
SHARES = np.array([0.5, 0.25, 0.15, 0.07, 0.03])


def profile(rng, *, numbers=10, categories=10, rows=3000):
    """Features drawn from the distributions that ``window`` draws from when nothing has moved."""
    features = {}
    for place in range(numbers):
        values = rng.normal(0, 1, rows)
        edges = np.quantile(values, np.linspace(0, 1, BINS + 1))
        counts = np.histogram(values, edges)[0]
        histogram = Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
        features[f"number {place}"] = FeatureReference(nulls=0, histogram=histogram)
    for place in range(categories):
        counts = rng.multinomial(rows, SHARES)
        named = {f"category {rank}": int(count) for rank, count in enumerate(counts)}
        features[f"category {place}"] = FeatureReference(nulls=0, categories=named)
    score = Histogram(edges=(0.0, 0.25, 0.5, 0.75, 1.0), counts=(750, 750, 750, 750))
    return ReferenceProfile(rows=rows, features=features, score=score)


def window(rng, reference, rows, *, shift=()):
    """Live rows; ``shift`` names the features that moved: by half a deviation, or to rare categories."""
    features = {}
    for name, feature in reference.features.items():
        if feature.histogram is not None:
            values = rng.normal(0.5 if name in shift else 0.0, 1, rows)
            places = np.searchsorted(feature.histogram.edges[1:-1], values, side="right")
            features[name] = FeatureCounts(np.bincount(places, minlength=BINS).tolist())
        else:
            shares = SHARES[::-1] if name in shift else SHARES
            features[name] = FeatureCounts(rng.multinomial(rows, shares).tolist())
    return Distributions(rows, features, rng.multinomial(rows, [0.25] * 4).tolist())
