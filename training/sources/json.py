"""JSON files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from training.sources import records
from training.sources.described import Described
from training.sources.location import Location, opened

if TYPE_CHECKING:
    import pandas as pd


class JsonFile(Described):
    """A JSON file: a list of objects, or one object a line.

    Attributes:
        records: Dotted path to the list inside the document; empty if the document is the list.
        lines: One object a line.
    """

    kind: Literal["json"]
    path: Location
    records: str = ""
    lines: bool = False

    def read(self) -> pd.DataFrame:
        """Return the rows.

        Raises:
            SourceUnavailable: There is no such file, it is not JSON, or not of objects.
        """
        with opened(self.path) as stream:
            if self.lines:
                found = [json.loads(line) for line in stream.read().splitlines() if line.strip()]
            else:
                found = records.at(json.load(stream), self.records, self.path)
            return records.table(found, self.path)
