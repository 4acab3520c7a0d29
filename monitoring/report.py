"""Evidently's report on logged rows beside the reference sample, as one page that needs nothing else."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from deployments.contracts.feature_schema import FeatureKind, FeatureSchema
from monitoring.drift.limits import DriftLimits
from monitoring.errors import EmptyDistribution

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10_000
"""Of each side at most; more make the page slower and no clearer."""
BEYOND_RANGES = 10
"""Numbers further away from what training saw than so many of its ranges are shown there: one caller's 1e308 would
make a histogram of as many bins."""


def page(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    schema: FeatureSchema,
    limits: DriftLimits | None = None,
    preface: str = "",
) -> str:
    """Compare features, with histograms of both sides. Takes about ten seconds, most of it for the import.

    Personal data and free text are left out.

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

    shown = [
        feature
        for feature in schema.features
        if not feature.pii and feature.kind is not FeatureKind.TEXT and feature.name in current.columns
    ]
    numbers = [feature.name for feature in shown if feature.kind is FeatureKind.NUMBER]
    categories = [feature.name for feature in shown if feature.kind is not FeatureKind.NUMBER]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)

    known = reference[numbers].astype("float64")
    least, most = known.min(), known.max()
    margin = BEYOND_RANGES * (most - least).where(most > least, other=most.abs() + 1.0)
    lowest, highest = least - margin, most + margin

    def prepared(rows: pd.DataFrame) -> Dataset:
        rows = rows if len(rows) <= ROWS else rows.sample(ROWS, random_state=0)
        texts = {name: rows[name].map(_text) for name in categories}
        figures = rows[numbers].astype("float64").clip(lowest, highest, axis="columns")
        return Dataset.from_pandas(figures.assign(**texts), data_definition=definition)

    warning = (limits or DriftLimits()).warning
    report = Report([DataDriftPreset(method="psi", threshold=warning), DataSummaryPreset()])
    text = str(report.run(prepared(current), prepared(reference)).get_html_str(as_iframe=False))
    return re.sub(r"<body[^>]*>", lambda begin: begin[0] + preface, text, count=1)


def _text(value: object) -> str | None:
    """A category or boolean as Evidently counts it; missing stays missing."""
    if value is None or value != value:  # NaN is not itself
        return None
    return str(value)
