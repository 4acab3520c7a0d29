"""Taking a person out of a partition. ``care.erase`` says in which order of all partitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from deployments.prediction_log import layout, segment, successor
from deployments.prediction_log.successor import Segment
from deployments.storage.location import Location


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was taken out.

    Attributes:
        predictions: Rows of predictions, shadows' included.
        feedback: Rows of feedback.
    """

    predictions: int
    feedback: int


def predictions_of(location: Location, directory: str, pseudonyms: Collection[str]) -> list[str]:
    """Ids of a person's predictions in a partition.

    Args:
        location: The log.
        directory: A partition of predictions.
        pseudonyms: Everything that may stand for the person (``PersonalDataKeys.pseudonyms``).
    """
    found: list[str] = []
    for path in location.files(directory):
        if layout.Partition.of_file(path) is not None:
            with segment.opened(location, path) as file:
                table = file.read(["prediction_id", "unit"])
            found.extend(table.filter(_any_of(table["unit"], pseudonyms))["prediction_id"].to_pylist())
    return found


def erase(location: Location, directory: str, column: str, values: Collection[str]) -> int:
    """Rewrite the segments of a partition without the rows whose column has one of the values.

    Returns:
        Rows that were taken out.
    """
    taken = 0
    for one in successor.settle(location, directory):
        with segment.opened(location, one.path) as file:
            hits = file.read(["gateway", "sequence", column])
        hits = hits.filter(_any_of(hits[column], values))
        if hits.num_rows:
            _without(location, one, column, values, hits)
            taken += hits.num_rows
    return taken


def _without(location: Location, one: Segment, column: str, values: Collection[str], hits: pa.Table) -> None:
    note = successor.joined_note([one])
    erased = {gateway: set(sequences) for gateway, sequences in note.erased.items()}
    for gateway, sequence in zip(hits["gateway"].to_pylist(), hits["sequence"].to_pylist(), strict=True):
        erased.setdefault(gateway, set()).add(sequence)
    note = replace(note, erased={gateway: tuple(sorted(sequences)) for gateway, sequences in erased.items()})

    def others(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(_any_of(table[column], values)))

    successor.replace(location, [one], layout.ERASED, note, others)


def _any_of(column: pa.ChunkedArray, values: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(list(values), pa.string()))
