"""``make bench-distributed``: memory of a distributed fit while the rows outgrow its workers."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import console
import numpy as np
import page
import process_tree
import psutil
import pyarrow as pa
import report
from console import say
from document import conditions
from pyarrow import parquet

from ray_apps import ray_connection
from training import data, feature_schema, fitting
from training.config import TrainingConfig
from training.fitting import Subject

MIB = 2**20
COLUMNS = 64
FILE_ROWS = 50_000
STORE_MIB = 512
WORKERS = 2
ROUNDS = 20
SAMPLE_SECONDS = 0.25
FITTING, READING, DRIVER = "a worker that fits", "a task that reads and prepares", "the driver"
FAMILIES = ("xgboost", "lightgbm")


@dataclass
class Peaks:
    """Largest private memory of a process of each kind, in bytes."""

    largest: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Look at all processes of this run once."""
        for process in process_tree.family(os.getpid()):
            with contextlib.suppress(psutil.Error, OSError):
                kind = _kind(process)
                if kind is not None:
                    self.largest[kind] = max(self.largest.get(kind, 0), private_bytes(process.pid))


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit over one set of rows.

    Attributes:
        family: Of the model.
        rows_bytes: Size of the rows as numbers in memory.
        rows: Of all parts.
        seconds: Survey and fit.
        roc_auc: On the sample of the test part.
        peaks: Of memory.
    """

    family: str
    rows_bytes: int
    rows: int
    seconds: float
    roc_auc: float
    peaks: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=512, help="MiB of private memory a worker (default 512)")
    parser.add_argument("--times", type=int, default=10, help="size of the larger set in budgets (default 10)")
    parser.add_argument("--output", type=Path, default=page.PAGE, help="default docs/benchmarks.md")
    console.run(partial(_run, parser.parse_args()))


def _run(arguments: argparse.Namespace) -> None:
    busy = console.busy_percent()
    fits = []
    with tempfile.TemporaryDirectory(prefix="raygate-bench-") as scratch:
        for times in (1, arguments.times):
            folder = Path(scratch) / str(times)
            rows = write_rows(folder, times * arguments.budget * MIB)
            for family in FAMILIES:
                fits.append(fitted(folder, family, rows, Path(scratch) / f"{family}-{times}"))
                say(f"  {times} x {arguments.budget} MiB, {family}: {fits[-1]}")
    measured = conditions(busy, report.machine_facts(), datetime.now(UTC))
    text = document(fits, arguments.budget, measured)
    page.write(arguments.output, "make bench-distributed", text)
    print(text)
    say(f"Written to {arguments.output}")


def write_rows(folder: Path, size: int) -> int:
    """Write files of random numbers and a label that some of them tell; return how many rows."""
    folder.mkdir()
    draw = np.random.default_rng(7)
    files = -(-size // (FILE_ROWS * COLUMNS * 8))
    for number in range(files):
        values = draw.normal(size=(FILE_ROWS, COLUMNS))
        score = values[:, 0] + values[:, 1] * values[:, 2] + draw.normal(size=FILE_ROWS)
        columns = {f"x{position}": values[:, position] for position in range(COLUMNS)}
        table = pa.table({**columns, "label": np.where(score > 0, "yes", "no")})
        parquet.write_table(table, folder / f"{number:05}.parquet", compression="zstd")
    return files * FILE_ROWS


def fitted(folder: Path, family: str, rows: int, state: Path) -> Fit:
    """Survey and fit one set of rows on a Ray of its own."""
    import ray

    from training.distributed import fitting as distributed_fitting
    from training.distributed import survey

    config = TrainingConfig.model_validate(
        {
            "model": "numbers",
            "source": {"kind": "parquet", "path": str(folder)},
            "target": {"column": "label", "positive": "yes"},
            "distributed": {"workers": WORKERS, "sample": 20_000},
            "versions": [{"version": "1.0.0", "family": family, "parameters": {"n_estimators": ROUNDS}}],
        }
    )
    ray_connection.start(num_cpus=2, object_store_memory=STORE_MIB * MIB)
    try:
        with watched() as peaks:
            began = time.perf_counter()
            parts = data.split(survey.read(config), config.split)
            schema = feature_schema.infer(parts.train.features)
            subject = Subject(family, dict(config.versions[0].parameters), schema, parts, seed=1)
            model = distributed_fitting.fit(config, subject, {}, state)
            seconds = time.perf_counter() - began
        roc_auc = fitting.judge(subject, model, parts.test)["roc_auc"]
        return Fit(family, rows * COLUMNS * 8, rows, seconds, roc_auc, peaks.largest)
    finally:
        ray.shutdown()


@contextlib.contextmanager
def watched() -> Iterator[Peaks]:
    """Look at the memory of every process of this run until the block ends."""
    peaks, over = Peaks(), threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peaks.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def private_bytes(pid: int) -> int:
    """Memory that nobody shares and no file backs: what a process cannot give back when memory is short."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def _kind(process: psutil.Process) -> str | None:
    if process.pid == os.getpid():
        return DRIVER
    name = process_tree.label(process.cmdline())
    if "TrainWorker" in name:
        return FITTING
    return READING if name.startswith("ray::") and ("Map" in name or "Read" in name) else None


def document(fits: Sequence[Fit], budget: int, measured: str) -> str:
    """The part of the page."""
    return f"""
`make bench-distributed`: {WORKERS} workers fit {ROUNDS} rounds of boosting on {COLUMNS} columns of random numbers,
in parquet files, on a set as large as a worker's budget of {budget} MiB and on one {_times(fits)} times as large.
Memory is the largest that one process of a kind held privately (`RssAnon`), looked at every {SAMPLE_SECONDS:g} s.
What it maps from files can be taken back at any time; Ray's object store had {STORE_MIB} MiB.

{measured}

{table(fits)}

{verdicts(fits, budget)}
"""


def table(fits: Sequence[Fit]) -> str:
    """One line a fit."""
    kinds = (FITTING, READING, DRIVER)
    head = "| family | set MiB | rows | s | ROC-AUC | " + " | ".join(f"{kind} MiB" for kind in kinds) + " |"
    lines = [head, "|---|--:|--:|--:|--:|" + "--:|" * len(kinds)]
    for fit in fits:
        peaks = " | ".join(f"{fit.peaks.get(kind, 0) / MIB:,.0f}" for kind in kinds)
        lines.append(
            f"| {fit.family} | {fit.rows_bytes / MIB:,.0f} | {fit.rows:,} | {fit.seconds:.0f} | {fit.roc_auc:.3f} "
            f"| {peaks} |"
        )
    return "\n".join(lines)


def verdicts(fits: Sequence[Fit], budget: int) -> str:
    """Whether a worker stayed in its budget on the larger set."""
    largest = max(fit.rows_bytes for fit in fits)
    lines = []
    for fit in fits:
        if fit.rows_bytes == largest:
            seen = fit.peaks.get(FITTING, 0) / MIB
            met = "met" if 0 < seen <= budget else "NOT MET"
            size = f"{largest / MIB:,.0f} MiB"
            lines.append(f"- {met}: a worker fits {fit.family} to {size} within {budget} MiB (seen: {seen:,.0f})")
    return "\n".join(lines)


def _times(fits: Sequence[Fit]) -> int:
    sizes = [fit.rows_bytes for fit in fits]
    return round(max(sizes) / min(sizes))


if __name__ == "__main__":
    main()
