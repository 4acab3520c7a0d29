"""Where training rows come from, one kind a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training.sources.csv import CsvFile
from training.sources.parquet import ParquetFile
from training.sources.rdatasets import RDataset

Source = Annotated[RDataset | CsvFile | ParquetFile, Field(discriminator="kind")]
"""One of the kinds; the field ``kind`` tells which."""
