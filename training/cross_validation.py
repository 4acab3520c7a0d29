"""How good a document's versions are over all rows in turn, not on one lucky split, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training import fitting, version_build
from training.config import TrainedVersion, TrainingConfig
from training.data import Dataset, TrainingData
from training.places import Progress

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A metric over all folds.

    Attributes:
        mean: Over the folds.
        half_width: Of its 95 % interval.
    """

    mean: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half_width:.3f}"


@dataclass(frozen=True)
class Judged:
    """One version over all folds.

    Attributes:
        version: As its document has it.
        metrics: By name.
        differences: To the document's first version, fold by fold; empty for the first.
    """

    version: TrainedVersion
    metrics: dict[str, Estimate]
    differences: dict[str, Estimate]


def judge(
    config: TrainingConfig, dataset: Dataset, folds: int, repeats: int, progress: Progress
) -> tuple[Judged, ...]:
    """Judge every version of a document, with its fixed parameters alone, in folds that are the same for all.

    Args:
        config: The document.
        dataset: Its rows: all of them take part.
        folds: Parts; each is judged by a fit on the others.
        repeats: How often the rows are shuffled and divided.
        progress: Told after each version.
    """
    whole = TrainingData(dataset.task, dataset.classes, *[dataset.rows] * 3)
    tables = []
    for wanted in config.versions:
        subject = version_build.subject_of(config, wanted, whole)
        tables.append(
            [
                figures
                for repeat in range(repeats)
                for figures in fitting.judged_folds(replace(subject, seed=subject.seed + repeat), {}, folds)
            ]
        )
        progress(f"{wanted.family}: {folds * repeats} fits")
    first = tables[0]
    return tuple(
        Judged(
            wanted,
            {name: estimate([row[name] for row in table], folds) for name in table[0]},
            {}
            if table is first
            else {
                name: estimate([row[name] - other[name] for row, other in zip(table, first, strict=True)], folds)
                for name in table[0]
            },
        )
        for wanted, table in zip(config.versions, tables, strict=True)
    )


def estimate(values: Sequence[float], folds: int) -> Estimate:
    """Return mean and interval of a metric over the folds of one or several divisions.

    Folds share most of their training rows, so their plain standard error is far too small. Nadeau and Bengio
    (2003) correct it: variance of the mean = s² (1/J + 1/(k - 1)) for J fits of k folds each; the interval is
    Student's with J - 1 degrees of freedom.

    >>> print(estimate([0.8, 0.9, 0.85, 0.95], folds=4))
    0.875 ± 0.157
    """
    from scipy import stats

    count = len(values)
    spread = float(np.std(values, ddof=1)) * math.sqrt(1 / count + 1 / (folds - 1))
    return Estimate(float(np.mean(values)), float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread)
