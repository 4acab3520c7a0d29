"""What ``raygate train`` and ``raygate package`` show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from deployments.contracts import labels
from deployments.contracts.feature_schema import Feature, FeatureKind
from deployments.runtime.package import ModelPackage
from ray_apps.cli import console

if TYPE_CHECKING:
    from training.check import Checked
    from training.cross_validation import Judged

SHOWN = ("roc_auc", "brier", "r2", "mae")
"""Metrics of the table; all of them are in the package and in MLflow."""
SHOWN_CATEGORIES = 6


def show_packages(packages: list[ModelPackage]) -> None:
    """Print one line a version, and why one is not compiled."""
    from training import comparison

    table = Table("version", "family", "path", "parity", "metrics", "one row", "readable", "digest")
    for one, compared in zip(packages, comparison.compare(packages), strict=True):
        metadata = one.metadata
        difference = metadata.parity.max_difference
        table.add_row(
            f"{metadata.model} {metadata.version}",
            metadata.family,
            metadata.path.value,
            "" if difference is None else f"{difference:.1e}",
            ", ".join(
                f"{metric} {metadata.metrics[metric]:.3f}" for metric in SHOWN if metric in metadata.metrics
            ),
            comparison.milliseconds(compared.one_row_milliseconds),
            compared.interpretability,
            one.digest[:12],
        )
    console.out.print(table)
    for one in packages:
        if one.metadata.parity.reason:
            console.say(
                f"{one.metadata.model} {one.metadata.version} is not compiled: {one.metadata.parity.reason}"
            )


def show_judged(judged: Sequence[Judged]) -> None:
    """Print what each version reaches over all folds, and how far it is from the first."""
    from training import comparison

    names = [name for name in comparison.SHOWN if name in judged[0].metrics]
    table = Table("version", "family", *names)
    for one in judged:
        number = str(one.version.version or "")
        table.add_row(number, one.version.family, *(str(one.metrics[name]) for name in names))
        if one.differences:
            table.add_row("", "difference to the first", *(str(one.differences[name]) for name in names))
    console.out.print(table)
    console.say(
        "mean over the folds and 95 % interval after Nadeau and Bengio (2003); fixed parameters, no search"
    )


def show_checked(checked: Checked) -> None:
    """Print what a run would train from."""
    table = Table("feature", "kind", "null", "values")
    for feature in checked.schema.features:
        table.add_row(
            escape(feature.name), feature.kind.value, "yes" if feature.nullable else "", _values(feature)
        )
    console.out.print(table)
    train, validation, test = checked.rows
    answers = f" of {', '.join(map(labels.text, checked.classes))}" if checked.classes else ""
    console.say(f"{checked.task.value}{answers}; {train} rows to train, {validation} to validate, {test} to test")
    console.say(f"data {', '.join(filter(None, (checked.version, checked.fingerprint[:12])))}")
    for notice in checked.notices:
        console.warn(notice)


def _values(feature: Feature) -> str:
    if feature.kind is FeatureKind.NUMBER:
        return f"{feature.minimum:g} to {feature.maximum:g}"
    shown = escape(", ".join(feature.categories[:SHOWN_CATEGORIES]))
    return f"{shown}, ..." if len(feature.categories) > SHOWN_CATEGORIES else shown
