"""Dividing the input into units of work: each is read, scored and committed by one worker, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

BYTES_A_ROW = 256
"""Assumed of files that do not tell their number of rows before they are read."""


class InputFile(BaseModel):
    """A file as it was when the job was planned.

    Attributes:
        path: Relative to the input's root.
        size: Bytes.
        modified: Nanoseconds since 1970; 0 where the file system does not tell.
        group_rows: Rows of each row group of a parquet file; None for other formats.
        layout: Of the columns: files of different layouts never share a unit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: int
    modified: int
    group_rows: tuple[int, ...] | None = None
    layout: str = ""


class Slice(BaseModel):
    """A part of one file.

    Attributes:
        file: Position of the file in the plan.
        groups: First row group, and the one after the last; None for a whole file.
        first_row: Position in the file of the slice's first row.
        rows: Number of rows; None where it is not known before the file is read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: int
    groups: tuple[int, int] | None = None
    first_row: int = 0
    rows: int | None = None


class Unit(BaseModel):
    """What one worker does at a time, and what it commits.

    Attributes:
        number: Position in the plan; names the output files.
        slices: What it reads, in order.
        size: Bytes of the input, about.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    slices: tuple[Slice, ...]
    size: int

    @property
    def name(self) -> str:
        """Five digits or more, so that names sort as numbers do."""
        return f"{self.number:05d}"


def units_of(files: Sequence[InputFile], rows_a_unit: int) -> tuple[Unit, ...]:
    """Units of about equal work, in the order of the input.

    A large parquet file is divided between its row groups; small files of one layout share a unit. A text file is
    never divided: only a reader of all of it knows where a quoted line ends.

    Args:
        files: Of the input.
        rows_a_unit: At most, unless a single row group has more.
    """
    units: list[Unit] = []
    held: list[Slice] = []
    work = size = 0.0
    layout = ""

    def close() -> None:
        nonlocal work, size
        if held:
            units.append(Unit(number=len(units), slices=tuple(held), size=round(size)))
        held.clear()
        work = size = 0.0

    for slice_, share, slice_bytes in _slices(files, rows_a_unit):
        if held and (work + share > 1 or files[slice_.file].layout != layout):
            close()
        layout = files[slice_.file].layout
        held.append(slice_)
        work, size = work + share, size + slice_bytes
    close()
    return tuple(units)


def _slices(files: Sequence[InputFile], rows_a_unit: int) -> Iterator[tuple[Slice, float, float]]:
    """Slices with their share of a unit's work and their bytes."""
    for position, file in enumerate(files):
        if file.group_rows is None:
            yield Slice(file=position), file.size / (rows_a_unit * BYTES_A_ROW), file.size
            continue
        total = sum(file.group_rows)
        first_row = 0
        for begin, end in _runs(file.group_rows, rows_a_unit):
            rows = sum(file.group_rows[begin:end])
            if rows:
                part = Slice(file=position, groups=(begin, end), first_row=first_row, rows=rows)
                yield part, rows / rows_a_unit, file.size * rows / total
            first_row += rows


def _runs(group_rows: Sequence[int], limit: int) -> Iterator[tuple[int, int]]:
    """Runs of row groups with at most so many rows, but at least one group."""
    begin, rows = 0, 0
    for position, count in enumerate(group_rows):
        if position > begin and rows + count > limit:
            yield begin, position
            begin, rows = position, 0
        rows += count
    if begin < len(group_rows):
        yield begin, len(group_rows)
