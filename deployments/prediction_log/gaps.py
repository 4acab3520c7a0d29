"""How much of the log is missing: what was dropped, or lost with a gateway that crashed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from deployments.prediction_log import catalogue, segment
from deployments.prediction_log.reader import consistently, tables_of
from deployments.storage.location import Location


@dataclass(frozen=True, slots=True)
class GatewayGaps:
    """What one gateway's sequence numbers tell.

    Attributes:
        first: Smallest sequence number there is.
        last: Largest one.
        missing: Numbers between them that no segment has and no erasure took out: lost requests.
    """

    first: int
    last: int
    missing: int


def missing(uri: str, *, since: datetime | None = None, until: datetime | None = None) -> dict[str, GatewayGaps]:
    """Count lost requests by gateway.

    What a gateway lost after its last segment, when it crashed, leaves no number behind: at most what came within
    ``LogLimits.segment_seconds``. At the ends of a span of time a request that took long may count although it is
    there, in the next partition.

    Args:
        uri: Root of the log.
        since: Only hours that end later.
        until: Only hours that start earlier.

    Raises:
        InvalidLogQuery: A moment has no time zone.
        StorageUnreachable: The place cannot be read.
    """
    location = Location.of(uri)

    def attempt() -> dict[str, GatewayGaps]:
        paths = catalogue.predictions(location, since=since, until=until)
        numbers = _numbers(tables_of(location, paths, ["gateway", "sequence"], None))
        erased: dict[str, set[int]] = defaultdict(set)
        for path in paths:
            for gateway, sequences in segment.footer(location, path)[1].erased.items():
                erased[gateway].update(sequences)
        everybody = sorted({*numbers, *erased})
        return {gateway: _gaps(numbers.get(gateway, set()) | erased[gateway]) for gateway in everybody}

    return consistently(location, attempt)


def _numbers(tables: list[pa.Table]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for table in tables:
        gateways = table["gateway"].combine_chunks().dictionary_encode()
        sequences = table["sequence"].to_numpy()
        for code, gateway in enumerate(gateways.dictionary.to_pylist()):
            mine = sequences[gateways.indices.to_numpy() == code]
            found[gateway].update(np.unique(mine).tolist())
    return found


def _gaps(numbers: set[int]) -> GatewayGaps:
    first, last = min(numbers), max(numbers)
    return GatewayGaps(first, last, last - first + 1 - len(numbers))
