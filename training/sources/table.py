"""Sources that are one table, one kind a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training.sources.csv import CsvFile
from training.sources.delta import DeltaLakeTable
from training.sources.dvc import DvcFile
from training.sources.http import HttpApi
from training.sources.json import JsonFile
from training.sources.parquet import ParquetFile
from training.sources.rdatasets import RDataset
from training.sources.sql import SqlQuery

Table = Annotated[
    RDataset | CsvFile | ParquetFile | JsonFile | DeltaLakeTable | DvcFile | SqlQuery | HttpApi,
    Field(discriminator="kind"),
]
"""One of the kinds; the field ``kind`` tells which."""
