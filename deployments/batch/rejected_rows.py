"""Rows without a score: where they stand, why, and what is in them, so that they can be mended and sent again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployments.batch.output_rows import json_line
from deployments.batch.row_check import Reason


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row of the input that has no score.

    Attributes:
        file: Of the input.
        row: Position in the file, from 0.
        reasons: What is wrong with it; no value of personal data stands here.
        values: Of its columns, as they were read; it is the caller's own data, beside the caller's own output.
    """

    file: str
    row: int
    reasons: tuple[Reason, ...]
    values: dict[str, object]


def lines(rows: Iterable[RejectedRow]) -> bytes:
    """One JSON object a line."""
    return b"".join(
        json_line(
            {
                "file": one.file,
                "row": one.row,
                "reasons": [{"field": reason.field, "message": reason.message} for reason in one.reasons],
                "values": one.values,
            }
        )
        for one in rows
    )
