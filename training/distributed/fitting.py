"""One model from all rows, fitted by several workers of a Ray cluster.

Preprocessing is fitted on the sample, in one process: every step that a document may ask for works as it does
without workers, and it is the same pipeline that is packaged. A mean is known from a hundred thousand rows to a
third of a per cent of the column's spread, medians and quantiles hardly worse; the trees' splits, which gain from
more rows, get all of them.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from deployments.contracts.errors import PackagingFailed
from deployments.contracts.feature_schema import FeatureSchema
from deployments.runtime import columns as columnar
from training import fitting
from training.config import TrainingConfig
from training.data import Part
from training.distributed import boosting, prepared_rows, shard, stream
from training.distributed.plan import Distributed
from training.distributed.portions import TRAIN, Portions, hashes
from training.distributed.shard import ROWS, TARGET
from training.fitting import Subject

LOT = 32_768
"""Rows that are prepared together."""
ATTEMPTS = 2
"""A fit whose worker dies begins anew."""


@dataclass(frozen=True)
class Preparation:
    """From a lot of a source's rows to numbers; it goes to every task that reads.

    Attributes:
        config: The document.
        schema: Raw features.
        dtypes: What the steps were fitted on.
        labels: All labels in order; None for values.
        steps: The fitted pipeline without its estimator.
        precision: Of the numbers.
        columns: How many numbers a row becomes.
    """

    config: TrainingConfig
    schema: FeatureSchema
    dtypes: Mapping[str, Any]
    labels: Any
    steps: Pipeline
    precision: str
    columns: int

    def __call__(self, table: Any) -> dict[str, Any]:
        """Return the training rows of a lot, prepared, and their target."""
        rows, _ = prepared_rows.select(stream.to_pandas(table), self.config)
        portions = Portions(self.config.split)
        rows = rows[portions.parts(portions.draws(hashes(rows))) == TRAIN]
        target = rows.pop(self.config.target.column)
        return {ROWS: self.matrix(rows), TARGET: self.positions(target)}

    def matrix(self, rows: Any) -> Any:
        """Return the numbers that the estimator takes."""
        if rows.empty:
            return np.empty((0, self.columns), dtype=self.precision)
        typed = columnar.to_frame(columnar.from_frame(rows, self.schema), self.schema, self.dtypes)
        return np.asarray(self.steps.transform(typed), dtype=self.precision)

    def positions(self, target: Any) -> Any:
        """Return labels by their place among all labels, values as they are."""
        if self.labels is None:
            return target.to_numpy(dtype=np.float64)
        place = {label: position for position, label in enumerate(self.labels.tolist())}
        return target.map(place).to_numpy(dtype=np.float64)

    def examples(self, rows: Part) -> dict[int, Any]:
        """Return a prepared row of each label."""
        if self.labels is None:
            return {}
        first = [int((rows.target == label).to_numpy().argmax()) for label in self.labels.tolist()]
        return dict(enumerate(self.matrix(rows.features.iloc[first])))


def _prepared(config: TrainingConfig, subject: Subject, steps: Pipeline) -> Preparation:
    """Fit the steps on the sample."""
    sample, classes = subject.data.train, subject.data.classes
    return Preparation(
        config=config,
        schema=subject.schema,
        dtypes={str(name): dtype for name, dtype in sample.features.dtypes.items()},
        labels=np.array(sorted(classes)) if classes else None,
        steps=steps.fit(sample.features, sample.target),
        precision=boosting.precision(subject.family),
        columns=steps.transform(sample.features.head(1)).shape[1],
    )


def fit(config: TrainingConfig, subject: Subject, parameters: dict[str, Any], directory: Path) -> Pipeline:
    """Fit a version's pipeline on all training rows.

    Args:
        config: A document with ``distributed``; this process is connected to a Ray.
        subject: What is fitted, with the sample.
        parameters: Hyperparameters that were found.
        directory: Where Ray Train keeps its state.

    Raises:
        PackagingFailed: The cluster is too small, or the workers failed.
        SourceUnavailable: The rows cannot be read.
    """
    assert config.distributed is not None
    _require_room(subject.family, config.distributed)
    pipeline = fitting.unfitted(subject, parameters)
    preparation = _prepared(config, subject, pipeline[:-1])
    rows = stream.read(config).map_batches(
        preparation, batch_size=LOT, batch_format="pyarrow", zero_copy_batch=True
    )
    setup = {
        "family": subject.family,
        "estimator": pipeline[-1],
        "labels": preparation.labels,
        "examples": preparation.examples(subject.data.train),
    }
    estimator = _trained(subject.family, config.distributed, rows, setup, directory)
    return Pipeline([*preparation.steps.steps, ("model", estimator)])


def _trained(family: str, wanted: Distributed, rows: Any, setup: dict[str, Any], directory: Path) -> Any:
    from ray import train

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    trainer = boosting.trainer(family)(
        fit_shard,
        train_loop_config=setup,
        datasets={"train": rows},
        scaling_config=train.ScalingConfig(num_workers=wanted.workers, resources_per_worker={"CPU": wanted.cpus}),
        run_config=train.RunConfig(
            name="fit",
            storage_path=str(directory.absolute()),
            failure_config=train.FailureConfig(max_failures=ATTEMPTS - 1),
        ),
    )
    try:
        return trainer.fit().return_value
    except Exception as error:  # of Ray Train, around what a worker raised
        told = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise PackagingFailed(family, f"the workers failed: {told[-1].strip()}") from error


def fit_shard(setup: Mapping[str, Any]) -> Any:
    """What each worker does; the first one's model is kept, and all are the same."""
    from ray import train

    with tempfile.TemporaryDirectory(prefix="raygate-shard-") as name:
        scratch = Path(name)
        lots = train.get_dataset_shard("train").iter_batches(batch_size=LOT, batch_format="numpy")
        mine, weights = shard.with_every_label(shard.write(lots, scratch), setup["examples"], scratch)
        fitted = boosting.fit(setup["family"], setup["estimator"], mine, setup["labels"], weights, scratch)
    return fitted if train.get_context().get_world_rank() == 0 else None


def _require_room(family: str, wanted: Distributed) -> None:
    """A worker group that takes every CPU would wait for rows that nobody has a CPU to read."""
    import ray

    there = float(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
    needed = wanted.workers * wanted.cpus + 1
    if there < needed:
        raise PackagingFailed(
            family,
            f"distributed: {wanted.workers} workers of {wanted.cpus:g} CPUs and one to read rows need {needed:g}, "
            f"and the cluster has {there:g}",
        )
