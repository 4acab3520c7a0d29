"""How good a document's versions are over all rows in turn, not on one lucky split, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from deployments.contracts.errors import FieldProblem, InvalidDocument
from training import data, fitting, version_build
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


def read(config: TrainingConfig) -> Dataset:
    """Read all rows of a document, for one process.

    Raises:
        InvalidDocument: Its rows are for several machines, or it does not fit them.
        SourceUnavailable: They cannot be read.
        DataRejected: They are not as expected.
    """
    if config.distributed is not None:
        message = "folds hold all rows in one process; leave it out, and name a source of fewer rows"
        raise InvalidDocument("training config", (FieldProblem("distributed", message),))
    return data.read(config)


def judge(
    config: TrainingConfig, dataset: Dataset, folds: int, repeats: int, progress: Progress
) -> tuple[Judged, ...]:
    """Judge every version of a document, with its fixed parameters alone, in folds that are the same for all.

    Rows that are divided by time are not shuffled: each fold is judged by a fit on all rows before it, and there
    is one such division.

    Args:
        config: The document.
        dataset: Its rows: all of them take part.
        folds: Parts; each is judged by a fit on the others.
        repeats: How often the rows are shuffled and divided; not by time.
        progress: Told after each version.

    Raises:
        DataRejected: There are too few rows, or too few of a label, for so many folds.
    """
    by_time = config.split.by_time is not None
    repeats = 1 if by_time else repeats
    rows = dataset.rows.take(dataset.order) if by_time else dataset.rows
    ratio = float(np.mean([1 / before for before in range(1, folds + 1)])) if by_time else 1 / (folds - 1)
    whole = TrainingData(dataset.task, dataset.classes, *[rows] * 3)
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
        progress(f"{wanted.family}: {folds * repeats} fits{', each on all rows before its fold' * by_time}")
    first = tables[0]
    return tuple(
        Judged(
            wanted,
            {name: estimate([row[name] for row in table], ratio) for name in table[0]},
            {}
            if table is first
            else {
                name: estimate([row[name] - other[name] for row, other in zip(table, first, strict=True)], ratio)
                for name in table[0]
            },
        )
        for wanted, table in zip(config.versions, tables, strict=True)
    )


def estimate(values: Sequence[float], ratio: float) -> Estimate:
    """Return mean and interval of a metric over the folds of one or several divisions.

    Folds share most of their training rows, so their plain standard error is far too small. Nadeau and Bengio
    (2003) correct it: variance of the mean = s² (1/J + ratio) for J fits; the interval is Student's with J - 1
    degrees of freedom.

    Args:
        values: Of each fold.
        ratio: Rows that judge for each row that is learnt: 1/(k - 1) for k folds, the mean over folds by time.

    >>> print(estimate([0.8, 0.9, 0.85, 0.95], ratio=1 / 3))
    0.875 ± 0.157
    """
    from scipy import stats

    count = len(values)
    spread = float(np.std(values, ddof=1)) * math.sqrt(1 / count + ratio)
    return Estimate(float(np.mean(values)), float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread)
