"""Versions of a model side by side: how good, how fast, how readable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployments.contracts.model_version import Version
from deployments.runtime.package import ModelPackage
from training import evaluation_report, families
from training.figure import Figure

SHOWN = ("accuracy", "f1", "roc_auc", "brier", "cost", "r2", "rmse", "mae")
"""Metrics that a person chooses by; all of them are in the package and in MLflow."""
HEADING = "### Versions compared"


@dataclass(frozen=True)
class Compared:
    """One version among others.

    Attributes:
        version: Its number.
        family: Kind of model.
        path: Which of its implementations is served.
        metrics: On its test rows, with intervals; empty where nobody judged it.
        one_row_milliseconds: Median time of scoring one row by the served path; None where nobody measured.
        interpretability: How well a person can follow an answer; empty for a family that is not ours.
    """

    version: Version
    family: str
    path: str
    metrics: dict[str, Figure]
    one_row_milliseconds: float | None
    interpretability: str


def compare(packages: Iterable[ModelPackage]) -> tuple[Compared, ...]:
    """Return what is known of each package."""
    return tuple(_compared(package) for package in packages)


def _compared(package: ModelPackage) -> Compared:
    metadata, report = package.metadata, evaluation_report.read(package)
    ours = metadata.family in families.names()
    return Compared(
        version=metadata.version,
        family=metadata.family,
        path=metadata.path.value,
        metrics={name: figure for name, figure in (report.metrics if report else {}).items() if name in SHOWN},
        one_row_milliseconds=report.one_row_milliseconds if report else None,
        interpretability=families.family(metadata.family).INTERPRETABILITY if ours else "",
    )


def markdown(versions: Sequence[Compared]) -> str:
    """Return a table, a row a version, under a heading of its own."""
    names = [name for name in SHOWN if any(name in version.metrics for version in versions)]
    header = ("version", "family", *names, "one row", "path", "readable")
    lines = [HEADING, "", _line(header), _line(["---"] * len(header))]
    for version in versions:
        figures = [_figure(version.metrics.get(name)) for name in names]
        lines.append(
            _line(
                (
                    str(version.version),
                    version.family,
                    *figures,
                    milliseconds(version.one_row_milliseconds),
                    version.path,
                    version.interpretability,
                )
            )
        )
    return "\n".join(lines)


def milliseconds(value: float | None) -> str:
    """A time as people read it; empty where there is none."""
    return "" if value is None else f"{value:.2f} ms"


def _figure(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.value:.4g} ({figure.low:.4g} to {figure.high:.4g})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
