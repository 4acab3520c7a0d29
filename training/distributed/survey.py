"""The first look at the rows: Ray Data goes over all of them once, and what comes back is bounded."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd

from deployments.contracts.errors import FieldProblem, InvalidDocument, RaygateError
from training import data, validation
from training.config import TrainingConfig
from training.data import Dataset, Part, TrainingData
from training.distributed import stream, summary
from training.distributed.portions import TEST, TRAIN, VALIDATION, Portions
from training.distributed.summary import DRAW, PART, Summary
from training.errors import DataRejected
from training.validation import ValidationReport

LOT = 65_536
"""Rows that are looked at together."""


def read(config: TrainingConfig) -> Dataset:
    """Compare all rows with what is expected, and return a sample of each part.

    The sample of the training part also holds the rows that show each column's extremes, nulls and categories,
    so that the schema is that of all rows.

    Args:
        config: A document with ``distributed``; this process is connected to a Ray.

    Raises:
        SourceUnavailable: The rows cannot be read.
        DataRejected: They are not as expected, or too few.
        InvalidDocument: The document names a column or a label that the data does not have.
    """
    found = _surveyed(config)
    if found.failures:
        report = ValidationReport(sum(found.counts), tuple(config.expected.columns), found.failures)
        raise DataRejected(str(report))
    if found.missing_targets and config.cleaning.missing_target == "refuse":
        message = f"{config.target.column} is null in {found.missing_targets} rows"
        raise InvalidDocument("training config", (FieldProblem("target.column", message),))
    if sum(found.counts) < config.expectations.rows_at_least:
        raise DataRejected(
            f"there are {sum(found.counts)} rows, and at least {config.expectations.rows_at_least} are expected"
        )
    return _dataset(found, config)


def _surveyed(config: TrainingConfig) -> Summary:
    assert config.distributed is not None
    rows = stream.read(config)
    count = stream.count(rows, config)
    wanted = Portions.sampled(config.split, count, config.distributed.sample)

    def look(table: Any) -> dict[str, Any]:
        # An error of ours goes back as a value: Ray would wrap it, and ours say what is wrong.
        try:
            found: Summary | RaygateError = summary.summarise(stream.to_pandas(table), config, wanted)
        except RaygateError as error:
            found = error
        return {"summary": np.array([pickle.dumps(found)], dtype=object)}

    looked = rows.map_batches(look, batch_size=LOT, batch_format="pyarrow")
    lots = stream.iterate(looked.iter_rows(), config)
    return summary.merge(map(_summary, lots), config)


def _summary(lot: dict[str, Any]) -> Summary:
    found: Summary | RaygateError = pickle.loads(lot["summary"])
    if isinstance(found, RaygateError):
        raise found
    return found


def _dataset(found: Summary, config: TrainingConfig) -> Dataset:
    target = config.target.column
    unseen = found.witnesses[~found.witnesses[DRAW].isin(found.sample[DRAW])]
    rows = pd.concat([found.sample, unseen], ignore_index=True).sort_values(DRAW, kind="stable")
    task, classes = data.question(rows[target], config.target)

    def part(number: int) -> Part:
        held = rows[rows[PART] == number].drop(columns=[DRAW, PART]).reset_index(drop=True)
        if held.empty:
            raise DataRejected(
                f"{sum(found.counts)} rows do not make three parts; they divide into {found.counts}"
            )
        return Part(held.drop(columns=target), held[target])

    parts = TrainingData(task, classes, part(TRAIN), part(VALIDATION), part(TEST), all_rows=found.counts)
    every = Part(rows.drop(columns=[target, DRAW, PART]), rows[target])
    kept = tuple(validation.stated(config.expected))
    checked = ValidationReport(sum(found.counts), tuple(config.expected.columns), (), kept)
    return Dataset(task, classes, summary.fingerprint(found), every, checked=checked, divided=parts)
