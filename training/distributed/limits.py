"""What a document may not ask for where no process sees all rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from training.distributed import boosting

if TYPE_CHECKING:
    from training.config import TrainingConfig


def problems(config: TrainingConfig) -> Iterator[str]:
    """Yield what stands in the way of training on many machines, with what would be right."""
    if config.source.kind != "parquet":
        yield f"source.kind {config.source.kind}: distributed training reads parquet"
    if config.target.columns:
        yield "target.columns: workers fit one target; train a version for each"
    if config.split.by_time:
        yield "split.by_time: rows are divided by their content, not by time"
    if config.cleaning.duplicates == "drop":
        yield "cleaning.duplicates: equal rows are in the same part, but none is dropped; leave it out"
    said = config.expectations
    if said.duplicates == "refused" or said.keys or any(one.unique for one in said.columns.values()):
        yield "expectations: duplicates, keys and unique would need all rows in one process; leave them out"
    if any(one.nulls_at_most is not None for one in said.columns.values()):
        yield "expectations: nulls_at_most would need all rows in one process; leave it out"
    for wanted in config.versions:
        if wanted.family not in boosting.families():
            yield f"versions: {wanted.version} is a {wanted.family}; {' and '.join(boosting.families())} can be"
        if wanted.calibration:
            yield f"versions: {wanted.version}: calibration fits five models on one machine; leave it out"
