"""Rows out of JSON documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from training.errors import SourceUnavailable

if TYPE_CHECKING:
    import pandas as pd


def value(document: Any, path: str) -> Any:
    """Return what a dotted path such as ``data.items`` leads to, None where it leads nowhere."""
    for step in path.split(".") if path else ():
        document = document.get(step) if isinstance(document, dict) else None
    return document


def at(document: Any, path: str, source: str) -> list[Any]:
    """Return the list that a dotted path leads to.

    Raises:
        SourceUnavailable: There is something else, or nothing.
    """
    found = value(document, path)
    if not isinstance(found, list):
        place = f"at {path!r}" if path else "the document"
        raise SourceUnavailable(source, f"{place} is {type(found).__name__}, not a list of records")
    return found


def table(found: Sequence[Any], source: str) -> pd.DataFrame:
    """Return records as a table; an object inside a record becomes columns such as ``address.city``.

    Raises:
        SourceUnavailable: A record is no object, or holds a list, which is no value of a column.
    """
    import pandas as pd

    for position, record in enumerate(found):
        if not isinstance(record, dict):
            raise SourceUnavailable(source, f"record {position} is {type(record).__name__}, not an object")
    rows = pd.json_normalize(list(found))
    for name, column in rows.items():
        lists = column.map(lambda held: isinstance(held, list)).to_numpy().nonzero()[0]
        if len(lists):
            raise SourceUnavailable(source, f"record {lists[0]} holds a list in {name}, which is no column value")
    return rows
