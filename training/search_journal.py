"""What a search has found out so far: written after each trial, so that a crash costs what was under way only.

Tune's own state is no help there: it is written in place, and a driver that is killed while it writes leaves an
empty file. A search that begins anew proposes the same again, because it is seeded; what the journal knows is
answered from it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Reports = tuple[tuple[int, float], ...]
"""What a trial reached after how many rounds; 0 rounds where nobody counts them."""


class Journal:
    """Finished trials, one a line of a file.

    Args:
        file: Where; a line that a crash cut off is as if it were not there.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Reports]:
        """Return the reports of each finished trial, by ``key`` of its parameters."""
        found: dict[str, Reports] = {}
        for line in self._file.read_text().splitlines() if self._file.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            reports = [(int(rounds), float(value)) for rounds, value in entry["reports"]]
            found[key(entry["parameters"])] = tuple(reports)
        return found

    def write(self, parameters: dict[str, Any], reports: Reports) -> None:
        """Add a finished trial; it is on the disk when this returns."""
        line = json.dumps({"parameters": parameters, "reports": reports}, default=_plain)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as journal:
            # The line end comes first: what a crash cut off must not swallow this line.
            journal.write(f"\n{line}")
            journal.flush()
            os.fsync(journal.fileno())


def key(parameters: dict[str, Any]) -> str:
    """Return one text for equal parameters."""
    return json.dumps(parameters, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return value.item()  # a number of NumPy
