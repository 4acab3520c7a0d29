"""Evidently's report on logged rows beside the reference sample, as one page that needs nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from monitoring.drift.comparison import compare
from monitoring.drift.limits import DriftLimits, Level
from monitoring.errors import EmptyDistribution

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10_000
"""Of each side at most; more make the page slower and no clearer."""
BEYOND_RANGES = 10
"""Numbers further away from what training saw than so many of its ranges are shown there: one caller's 1e308 would
make a histogram of as many bins."""
BINS = 10
"""Of a number, as in a reference profile and as Evidently's index has."""
TEXT_STYLE = "font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem"


def page(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    schema: FeatureSchema,
    limits: DriftLimits | None = None,
    preface: str = "",
) -> str:
    """Compare features, with histograms of both sides. Takes about ten seconds, most of it for the import.

    Personal data and free text are left out. Of a feature with so few rows that chance alone could lift its index
    over the limit no verdict is given, which the page says.

    Args:
        reference: Training rows, a column a feature.
        current: Logged rows; columns that the schema does not name are left out.
        schema: Of the version that answered.
        limits: From which index on a feature is called drifted.
        preface: HTML that comes before it.

    Returns:
        HTML.

    Raises:
        EmptyDistribution: A side has no rows.
    """
    for which, rows in (("reference", reference), ("current", current)):
        if rows.empty:
            raise EmptyDistribution(which)
    os.environ.setdefault("DO_NOT_TRACK", "1")  # Evidently would tell its makers that it was used
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    limits = limits or DriftLimits()
    features = [feature for feature in shown(schema) if feature.name in current.columns]
    numbers = [feature.name for feature in features if feature.kind is FeatureKind.NUMBER]
    categories = [feature.name for feature in features if feature.kind is not FeatureKind.NUMBER]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    before, now = _prepared(reference, current, numbers, categories)
    small = _too_small(before, now, numbers, limits)
    judged = [name for name in (*numbers, *categories) if name not in small]
    drift = [DataDriftPreset(columns=judged, method="psi", threshold=limits.warning)] if judged else []
    sides = (Dataset.from_pandas(side, data_definition=definition) for side in (now, before))
    text = str(Report([*drift, DataSummaryPreset()]).run(*sides).get_html_str(as_iframe=False))
    return re.sub(r"<body[^>]*>", lambda begin: begin[0] + preface + _told(small), text, count=1)


def shown(schema: FeatureSchema) -> list[Feature]:
    """The features that a page shows: neither personal data nor free text."""
    return [feature for feature in schema.features if not feature.pii and feature.kind is not FeatureKind.TEXT]


def _prepared(
    reference: pd.DataFrame, current: pd.DataFrame, numbers: list[str], categories: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both sides as Evidently counts them."""
    known = reference[numbers].astype("float64")
    least, most = known.min(), known.max()
    margin = BEYOND_RANGES * (most - least).where(most > least, other=most.abs() + 1.0)
    lowest, highest = least - margin, most + margin

    def prepared(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows if len(rows) <= ROWS else rows.sample(ROWS, random_state=0)
        texts = {name: rows[name].map(_text) for name in categories}
        return rows[numbers].astype("float64").clip(lowest, highest, axis="columns").assign(**texts)

    return prepared(reference), prepared(current)


def _too_small(
    reference: pd.DataFrame, current: pd.DataFrame, numbers: list[str], limits: DriftLimits
) -> dict[str, int]:
    """Features whose index chance alone could lift over the limit, with their rows: nothing is said of these.

    Evidently calls a handful of rows drifted, or not.
    """
    small: dict[str, int] = {}
    for name in reference.columns:
        before, now = reference[name].dropna(), current[name].dropna()
        if name in numbers:
            edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1))) if len(before) else np.zeros(1)
            sides = [np.searchsorted(edges[1:-1], side, side="right") for side in (before, now)]
            cells = [np.bincount(side, minlength=max(1, len(edges) - 1)).tolist() for side in sides]
            found = compare(cells[0], cells[1], edges.tolist(), limits)
        else:
            counts = [side.value_counts() for side in (before, now)]
            names = counts[0].index.union(counts[1].index)
            cells = [count.reindex(names, fill_value=0).tolist() for count in counts]
            found = compare(cells[0], cells[1], None, limits)
        if found.level is Level.NOT_ENOUGH_DATA:
            small[str(name)] = len(now)
    return small


def _told(small: Mapping[str, int]) -> str:
    if not small:
        return ""
    names = ", ".join(f"{escape(name)} ({rows:,} rows)" for name, rows in small.items())
    return f"<p style='{TEXT_STYLE}'>Not enough data to call these drifted or not: {names}.</p>"


def _text(value: object) -> str | None:
    """A category or boolean as Evidently counts it; missing stays missing."""
    if value is None or value != value:  # NaN is not itself
        return None
    return str(value)
