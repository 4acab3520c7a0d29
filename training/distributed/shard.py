"""One worker's share of the prepared rows, on its disk: the libraries read it several times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

ROWS, TARGET = "rows", "target"
"""Columns of a lot of prepared rows."""


@dataclass(frozen=True)
class Shard:
    """Prepared rows of one worker, in files that are mapped, so that pages go when memory is short.

    Attributes:
        rows: (n, d) numbers.
        target: Labels by their position, or values.
    """

    rows: NDArray[Any]
    target: NDArray[np.float64]


def write(lots: Iterable[Mapping[str, NDArray[Any]]], directory: Path) -> Shard:
    """Write lots of rows one after another, and map what was written.

    Raises:
        ValueError: There is no row at all.
    """
    count, width, kind = 0, 0, np.dtype(np.float64)
    with _appended(directory, ROWS) as rows, _appended(directory, TARGET) as target:
        for lot in lots:
            numbers = np.ascontiguousarray(lot[ROWS])
            width, kind = numbers.shape[1], numbers.dtype
            numbers.tofile(rows)
            np.asarray(lot[TARGET], dtype=np.float64).tofile(target)
            count += len(numbers)
    if count == 0:
        raise ValueError("a worker got no rows; there are more workers than lots of rows")
    return _mapped(directory, (count, width), kind)


def with_every_label(
    shard: Shard, examples: Mapping[int, NDArray[Any]], directory: Path
) -> tuple[Shard, NDArray[np.float64] | None]:
    """Add a row of weight zero for each label that the shard lacks: all workers must count the same labels.

    Args:
        shard: As it was written.
        examples: A prepared row of each label, by the label's position; empty for values.
        directory: The shard's.

    Returns:
        The shard, and weights of its rows; None if nothing was missing.
    """
    present = {int(position) for position in np.unique(shard.target)} if examples else set()
    missing = [position for position in examples if position not in present]
    if not missing:
        return shard, None
    kind = shard.rows.dtype
    with _appended(directory, ROWS) as rows, _appended(directory, TARGET) as target:
        np.stack([examples[position] for position in missing]).astype(kind).tofile(rows)
        np.array(missing, dtype=np.float64).tofile(target)
    count, width = shard.rows.shape
    weights = np.concatenate([np.ones(count), np.zeros(len(missing))])
    return _mapped(directory, (count + len(missing), width), kind), weights


def _appended(directory: Path, name: str) -> BinaryIO:
    return (directory / name).open("ab")


def _mapped(directory: Path, shape: tuple[int, int], kind: np.dtype[Any]) -> Shard:
    rows = np.memmap(directory / ROWS, dtype=kind, mode="r", shape=shape)
    return Shard(rows, np.memmap(directory / TARGET, dtype=np.float64, mode="r", shape=shape[:1]))
