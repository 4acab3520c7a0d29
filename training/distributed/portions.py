"""Which part a row belongs to, told by the row alone.

A shuffle needs all rows in one place. Here a row's content is hashed to a number between 0 and 1: every process
comes to the same answer without asking another, whatever the order and the files, and rows that are equal are
never in two parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.config import Split

TRAIN, VALIDATION, TEST = 0, 1, 2
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Portions:
    """The three parts, and how much of each is looked at by one process.

    Attributes:
        split: Shares of the parts, and the seed.
        kept: Share of each part's rows that is sampled.
    """

    split: Split
    kept: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def sampled(cls, split: Split, rows: int, most: int) -> Portions:
        """Keep about ``most`` rows of each part of ``rows``."""
        train, validation, test = (
            min(1.0, most / max(1.0, rows * share)) for share in (split.train, split.validation, split.test)
        )
        return cls(split, (train, validation, test))

    def draws(self, hashes: Hashes) -> NDArray[np.float64]:
        """Return a number in [0, 1) for each hash of a row."""
        return (mixed(hashes, self.split.seed) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def parts(self, draws: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the part of each row."""
        return np.searchsorted(self._ends()[:2], draws, side="right")

    def are_sampled(self, draws: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows are in the sample of their part."""
        parts, ends = self.parts(draws), self._ends()
        shares = np.array([self.split.train, self.split.validation, self.split.test])
        within = (draws - (ends - shares)[parts]) / shares[parts]
        sampled: NDArray[np.bool_] = within < np.array(self.kept)[parts]
        return sampled

    def _ends(self) -> NDArray[np.float64]:
        return np.cumsum([self.split.train, self.split.validation, self.split.test])


def hashes(rows: pd.DataFrame) -> Hashes:
    """Hash each row's values; a whole number and the same real are equal, because nulls make reals of a column."""
    hashed = pd.util.hash_pandas_object(rows.apply(_comparable), index=False)
    return np.asarray(hashed, dtype=np.uint64)


def mixed(values: Hashes, seed: int) -> Hashes:
    """Return hashes that differ from seed to seed: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        z = values + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _comparable(column: Any) -> Any:
    if pd.api.types.is_numeric_dtype(column):
        return column.astype(np.float64)
    return column.astype(object).where(column.notna(), None)
