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
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from deployments.contracts.errors import PackagingFailed
from training import fitting
from training.config import TrainingConfig
from training.distributed import boosting, preparation, shard, stream
from training.distributed.plan import Distributed
from training.fitting import Subject

LOT = 32_768
"""Rows that are prepared together."""
ATTEMPTS = 2
"""A fit whose worker dies begins anew."""


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
    prepared = preparation.prepare(config, subject, pipeline[:-1])
    rows = stream.read(config).map_batches(prepared, batch_size=LOT, batch_format="pyarrow", zero_copy_batch=True)
    setup = {
        "family": subject.family,
        "estimator": pipeline[-1],
        "labels": prepared.labels,
        "examples": prepared.examples(subject.data.train),
    }
    estimator = _trained(subject.family, config.distributed, rows, setup, directory)
    return Pipeline([*prepared.steps.steps, ("model", estimator)])


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
