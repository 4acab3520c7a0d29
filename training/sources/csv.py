"""CSV files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from training.sources.described import Described
from training.sources.location import Location, opened

if TYPE_CHECKING:
    import pandas as pd


class CsvFile(Described):
    """A CSV file with a line of names."""

    kind: Literal["csv"]
    path: Location

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no such file, or it is not CSV.
        """
        import pandas as pd

        with opened(self.path) as stream:
            return pd.read_csv(stream)
