"""Delta Lake tables, at any of their versions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from training.errors import SourceUnavailable
from training.sources.described import Described
from training.sources.location import S3, Location

if TYPE_CHECKING:
    import pandas as pd


class DeltaLakeTable(Described):
    """A Delta Lake table; needs ``raygate[delta]``.

    Attributes:
        path: Its directory, or ``s3://bucket/key`` with the usual ``AWS_*`` variables.
        version: Which of its versions; the latest by default. The one that was read is recorded.
    """

    kind: Literal["delta"]
    path: Location
    version: int | None = Field(default=None, ge=0)

    def pinned(self) -> Self:
        """Return the table at the version that it has now, unless the document names one.

        Raises:
            SourceUnavailable: There is no such table.
        """
        if self.version is not None:
            return self
        return self.model_copy(update={"version": int(self._opened().version())})

    @property
    def data_version(self) -> str:
        """Number of the version."""
        return f"Delta version {self.version}"

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no such table or version, or its protocol is newer than the reader.
        """
        table = self._opened()
        try:
            rows: pd.DataFrame = table.to_pyarrow_table().to_pandas()
        except Exception as error:  # a reader in Rust: errors of its own, of Arrow and of the file system
            raise self._unreadable(error) from error
        return rows

    def _opened(self) -> Any:
        try:
            import deltalake
        except ImportError as error:
            raise SourceUnavailable(self.path, "Delta tables need an extra: install raygate[delta]") from error
        try:
            return deltalake.DeltaTable(self.path, version=self.version, storage_options=_options(self.path))
        except Exception as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> SourceUnavailable:
        wanted = self.path if self.version is None else f"version {self.version} of {self.path}"
        return SourceUnavailable(wanted, " ".join(str(error).split()))


def _options(location: str) -> dict[str, str]:
    """What the variables say to other S3 clients and not to this one: an endpoint may be plain HTTP."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"aws_allow_http": "true"} if location.startswith(S3) and plain else {}
