"""Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from training.errors import SourceUnavailable
from training.sources.described import Described
from training.sources.location import Location, resolve

if TYPE_CHECKING:
    import pandas as pd


class ParquetFile(Described):
    """A Parquet file, or a directory of them."""

    kind: Literal["parquet"]
    path: Location

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no such file, or it is not Parquet.
        """
        import pyarrow as pa
        from pyarrow import parquet

        filesystem, path = resolve(self.path)
        try:
            table: pd.DataFrame = parquet.read_table(path, filesystem=filesystem).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise SourceUnavailable(self.path, " ".join(str(error).split())) from error
        return table
