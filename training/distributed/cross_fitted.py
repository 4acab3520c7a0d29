"""Target encoders that have not seen the rows that they encode.

An encoder that was fitted on a row knows its target: of a category of one row it knows nothing else, and the model
learns to trust a column that tells it nothing when it serves. scikit-learn's ``fit_transform`` encodes each fold
of the rows by the others. Here rows come some at a time and to several processes, so a row's content decides its
fold, as it decides its part.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import TargetEncoder

from deployments.contracts.errors import PackagingFailed
from training.data import Part
from training.distributed import portions
from training.distributed.portions import Hashes

FOLDS = 5


def looks_at_targets(steps: Pipeline) -> bool:
    """Whether an encoder of these steps, fitted or not, learns from the target."""
    return any(_encodes(branch) for _, branch, _ in steps[0].transformers)


def folds(hashes: Hashes, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row, which says nothing of its part.

    Args:
        hashes: Of the rows, features and target.
        seed: Of the division into parts.
    """
    return (portions.mixed(hashes, seed + 1) % np.uint64(FOLDS)).astype(np.intp)


def of_each_fold(steps: Pipeline, sample: Part, fold: NDArray[np.intp]) -> tuple[Pipeline, ...]:
    """Return fitted steps for the rows of each fold: the same but for target encoders that do not know them.

    Args:
        steps: Fitted on the whole sample.
        sample: What they were fitted on.
        fold: Of each row of the sample.
    """
    return tuple(_refitted(steps, sample.take(np.flatnonzero(fold != left_out))) for left_out in range(FOLDS))


def require_labels(sample: Part, fold: NDArray[np.intp]) -> None:
    """Check that an encoder of labels knows each of them, whichever fold it does not know.

    Raises:
        PackagingFailed: One has too few rows.
    """
    for label in sample.target.unique().tolist():
        its = fold[(sample.target == label).to_numpy()]
        if len(its) < FOLDS or len(set(its)) < 2:
            reason = f"only {len(its)} rows of the sample are {label!r}; make distributed.sample larger"
            raise PackagingFailed("encoding: target", reason)


def _refitted(steps: Pipeline, known: Part) -> Pipeline:
    apart = copy.deepcopy(steps)
    for _, branch, names in apart[0].transformers_:
        if _encodes(branch):
            name, encoder = branch.steps[-1]
            texts = branch[:-1].transform(known.features[names])
            branch.steps[-1] = (name, clone(encoder).fit(texts, known.target))
    return apart


def _encodes(branch: Any) -> bool:
    return isinstance(branch, Pipeline) and isinstance(branch[-1], TargetEncoder)
