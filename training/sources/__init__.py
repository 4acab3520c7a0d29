"""Where training rows come from, one kind a file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from training.sources.feast import FeastFeatures
from training.sources.table import Table

Source = Annotated[Table | FeastFeatures, Field(discriminator="kind")]
"""A table, or a table with features from a feature store beside it."""
