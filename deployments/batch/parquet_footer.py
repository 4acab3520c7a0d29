"""What a parquet file of an input tells of its rows before any is read."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from deployments.batch.errors import InputUnreadable
from deployments.storage.location import Location


def group_rows(root: Location, path: str) -> tuple[int, ...]:
    """Rows of each row group.

    Args:
        root: Of the input.
        path: Of the file, below it.

    Raises:
        InputUnreadable: It is damaged, or is no parquet.
    """
    try:
        metadata = pq.read_metadata(root.full(path), filesystem=root.filesystem)
    except (OSError, pa.ArrowException) as error:
        raise InputUnreadable(path, str(error)) from error
    return tuple(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
