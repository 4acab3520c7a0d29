"""How the rows of a file are written."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath


class Family(StrEnum):
    """Formats that are read and written alike but for compression."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"


class FileFormat(StrEnum):
    """A format; its value is the suffix of file names."""

    PARQUET = "parquet"
    CSV = "csv"
    CSV_GZIP = "csv.gz"
    JSON_LINES = "jsonl"
    JSON_LINES_GZIP = "jsonl.gz"

    @property
    def family(self) -> Family:
        """The format without its compression."""
        return Family(self.value.removesuffix(".gz"))

    @property
    def is_gzip(self) -> bool:
        """Whether the file as a whole is compressed; parquet compresses inside."""
        return self.value.endswith(".gz")


_OTHER_SUFFIXES = {"json": "jsonl", "ndjson": "jsonl", "pq": "parquet"}


def of_file(path: str) -> FileFormat | None:
    """The format that a file's name tells; None for a name that tells none."""
    name = PurePosixPath(path).name.lower()
    gzip = ".gz" if name.endswith(".gz") else ""
    suffix = name.removesuffix(".gz").rpartition(".")[2]
    try:
        return FileFormat(_OTHER_SUFFIXES.get(suffix, suffix) + gzip)
    except ValueError:
        return None
