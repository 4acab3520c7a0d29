"""Rows of a source as the model takes them, some at a time."""

from __future__ import annotations

import pandas as pd

from training import data
from training.config import TrainingConfig


def select(table: pd.DataFrame, config: TrainingConfig) -> tuple[pd.DataFrame, int]:
    """Return features and target of the rows that have a target, and how many have none.

    Raises:
        InvalidDocument: The document names columns that are not there.
    """
    features = data.features(table, config)
    target = table[config.target.column]
    there = target.notna().to_numpy()
    rows = features.assign(**{config.target.column: target})[there].reset_index(drop=True)
    return rows, int((~there).sum())
