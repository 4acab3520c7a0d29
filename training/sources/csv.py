"""CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from deployments.contracts.errors import PackagingFailed

if TYPE_CHECKING:
    import pandas as pd


class CsvFile(BaseModel):
    """A CSV file; a relative path counts from where the command runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["csv"]
    path: Path

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            PackagingFailed: There is no such file, or it is not CSV.
        """
        import pandas as pd

        try:
            return pd.read_csv(self.path)
        except (OSError, ValueError) as error:
            raise PackagingFailed(f"data file {self.path}", str(error)) from error
