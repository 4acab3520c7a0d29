"""A prediction log, a few rows of which were told what came, and what a look at these costs a monitor."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.model_version import Version
from deployments.contracts.package import InferencePath, ModelMetadata, Parity, Task
from deployments.contracts.prediction_id import make
from deployments.contracts.request_record import Decision, FeedbackRecord, RequestRecord, Stage
from deployments.prediction_log.segment_writer import LogLimits
from deployments.prediction_log.writer import PredictionLog

ROWS_A_REQUEST = 1000
METADATA = ModelMetadata(
    model="model",
    version=Version(1, 0, 0),
    task=Task.BINARY,
    classes=("good", "bad"),
    path=InferencePath.COMPILED,
    parity=Parity(rows=0, max_difference=None, label_flips=0, tolerance=0.0),
    family="lightgbm",
    created=datetime(2026, 1, 1, tzinfo=UTC),
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at labels took.

    Attributes:
        seconds: Of a CPU.
        megabytes: By which the process has grown at its largest.
    """

    seconds: float
    megabytes: float


def write(directory: Path, schema: FeatureSchema, rows: int, labels: int) -> None:
    """Write so many predictions of numbers alone, and labels evenly spread over them."""
    log = PredictionLog(str(directory), "gateway-1", limits=LogLimits(waiting_rows=2 * rows))
    rng = np.random.default_rng(1)
    for _ in range(rows // ROWS_A_REQUEST):
        now = datetime.now(UTC).timestamp()
        ids = [make("abcd") for _ in range(ROWS_A_REQUEST)]
        score = rng.random(ROWS_A_REQUEST)
        numbers = rng.random(ROWS_A_REQUEST * len(schema.features)).tolist()
        decision = Decision("1.0.0", "1.0.0", "random", 1.0, 1)
        log.record(
            RequestRecord(
                "model", "model", Stage.LIVE, decision, "", now, 0.01, 0.001, 1, "compiled", "OK",
                ids, schema, METADATA, numbers, [], np.column_stack([1 - score, score]),
            )
        )  # fmt: skip
        for name in ids[: labels * ROWS_A_REQUEST // rows]:
            log.feedback(FeedbackRecord(name, "bad", None, now, name))
    log.close(120)


def first_look(directory: Path) -> Look:
    """A monitor's first look, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_look, (directory,))


def peak_megabytes() -> float:
    """What this process held at its largest; ``ru_maxrss`` would begin with what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def _look(directory: Path) -> Look:
    from monitoring.quality.label_store import LabelStore

    store, before, began = LabelStore(str(directory)), peak_megabytes(), time.process_time()
    store.refresh(datetime.now(UTC))
    return Look(time.process_time() - began, peak_megabytes() - before)
