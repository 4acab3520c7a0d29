"""What is known of rows after one look at them, some at a time: bounded, whatever their number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training import validation
from training.config import TrainingConfig
from training.distributed import portions, prepared_rows, witnesses
from training.distributed.portions import TRAIN, Portions
from training.validation import Failure

DRAW, PART = "raygate draw", "raygate part"


@dataclass(frozen=True)
class Summary:
    """What some rows hold.

    Attributes:
        counts: Rows of the training, the validation and the test part.
        content: Two sums of the rows' hashes, modulo 2**64: they name the content in whatever order.
        missing_targets: Rows that have none.
        failures: What is not as expected.
        sample: The sampled rows, with their draw and their part.
        witnesses: Training rows that show what the columns hold; some are in the sample, too.
    """

    counts: tuple[int, int, int]
    content: tuple[int, int]
    missing_targets: int
    failures: tuple[Failure, ...]
    sample: pd.DataFrame
    witnesses: pd.DataFrame


def summarise(table: pd.DataFrame, config: TrainingConfig, portions_of: Portions) -> Summary:
    """Look at some rows of a source."""
    expected = config.expected.model_copy(update={"rows_at_least": 0})  # of all rows; a lot may have fewer
    failures = validation.check(table, expected).failures if expected.are_said else ()
    rows, missing = prepared_rows.select(table, config)
    hashes = portions.hashes(rows)
    draws = portions_of.draws(hashes)
    parts = portions_of.parts(draws)
    rows = rows.assign(**{DRAW: draws, PART: parts})
    counts = np.bincount(parts, minlength=3)
    return Summary(
        counts=(int(counts[0]), int(counts[1]), int(counts[2])),
        content=(_sum(hashes), _sum(portions.mixed(hashes, 0))),
        missing_targets=missing,
        failures=validation.merged(failures),
        sample=rows[portions_of.are_sampled(draws)].reset_index(drop=True),
        witnesses=_witnesses(rows[parts == TRAIN], config),
    )


def merge(summaries: Iterable[Summary], config: TrainingConfig) -> Summary:
    """Put together what is known of several lots of rows; the order of the lots does not matter.

    Raises:
        ValueError: There are none.
    """
    found = None
    samples = []
    for one in summaries:
        samples.append(one.sample)
        found = one if found is None else _both(found, one, config)
    if found is None:
        raise ValueError("there is nothing to merge")
    sample = pd.concat(samples, ignore_index=True).sort_values(DRAW, kind="stable", ignore_index=True)
    return Summary(**{**vars(found), "sample": sample})


def fingerprint(summary: Summary) -> str:
    """SHA-256 (hex) of the columns, the number of rows and their content, in whatever order the rows are."""
    names = [str(name) for name in summary.sample.columns if name not in (DRAW, PART)]
    return hashlib.sha256(repr((names, sum(summary.counts), summary.content)).encode()).hexdigest()


def _both(one: Summary, other: Summary, config: TrainingConfig) -> Summary:
    first, second, third = (a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Summary(
        counts=(first, second, third),
        content=(
            (one.content[0] + other.content[0]) % 2**64,
            (one.content[1] + other.content[1]) % 2**64,
        ),
        missing_targets=one.missing_targets + other.missing_targets,
        failures=validation.merged((*one.failures, *other.failures)),
        sample=one.sample,
        witnesses=_witnesses(pd.concat([one.witnesses, other.witnesses], ignore_index=True), config),
    )


def _witnesses(rows: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    target = config.target.column
    features = [str(name) for name in rows.columns if name not in (DRAW, PART, target)]
    return witnesses.select(rows, features, target, DRAW)


def _sum(hashes: Any) -> int:
    with np.errstate(over="ignore"):
        return int(hashes.sum(dtype=np.uint64))
