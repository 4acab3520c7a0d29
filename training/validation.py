"""Training rows against what is expected of them, before anything is trained from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from training import row_content
from training.errors import DataRejected
from training.expectations import ColumnExpectation, Expectations

SHOWN_ROWS = 5
SHOWN_CHARACTERS = 40
SHOWN_VALUES = 8
WHOLE_TABLE = "rows"
NOT_TWICE = "not stand twice"
_SPOKEN = {"not_nullable": "not be null", "field_uniqueness": "hold no value twice"}
"""What pandera names otherwise."""


@dataclass(frozen=True)
class Failure:
    """One expectation that is not met.

    Attributes:
        column: Name of the column; ``rows`` for what is expected of whole rows.
        expectation: What it must do, such as ``be at least 18``.
        found: What was found instead, where it is not about single rows.
        rows: How many rows are not like that.
        examples: Position (counted from 0; None where rows have none) and value of the first of them; no value of
            personal data.
    """

    column: str
    expectation: str
    found: str = ""
    rows: int = 0
    examples: tuple[tuple[int | None, str], ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(_example(row, value) for row, value in self.examples)
        found = self.found or f"not so in {self.rows} row{'s' if self.rows > 1 else ''}{shown and f' ({shown})'}"
        return f"{self.column} must {self.expectation}; {found}"


@dataclass(frozen=True)
class ValidationReport:
    """What a table was like.

    Attributes:
        rows: Rows that were looked at.
        columns: Columns that something is expected of.
        failures: What is not as expected; empty if all is well.
        kept: What is as expected: column, and what it must do.
    """

    rows: int
    columns: tuple[str, ...]
    failures: tuple[Failure, ...]
    kept: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        if not self.failures:
            return f"{self.rows} rows are as expected in {len(self.columns)} columns"
        listed = "\n".join(f"  {failure}" for failure in self.failures)
        return f"the {self.rows} rows are not as expected; nothing was trained:\n{listed}"


def check(table: pd.DataFrame, expectations: Expectations) -> ValidationReport:
    """Compare every row with what is expected."""
    failures = [*_of_table(table, expectations), *_of_columns(table, expectations)]
    order = [WHOLE_TABLE, *expectations.columns]
    failures.sort(key=lambda failure: order.index(failure.column))
    missed = {(failure.column, failure.expectation) for failure in failures}
    kept = tuple(said for said in stated(expectations) if said not in missed)
    return ValidationReport(len(table), tuple(expectations.columns), tuple(failures), kept)


def stated(expectations: Expectations) -> Iterator[tuple[str, str]]:
    """Give every expectation: column, and what it must do."""
    if expectations.rows_at_least:
        yield WHOLE_TABLE, f"be at least {expectations.rows_at_least}"
    if expectations.duplicates == "refused":
        yield WHOLE_TABLE, NOT_TWICE
    for key in expectations.keys:
        yield WHOLE_TABLE, f"differ in {' + '.join(key)}"
    for name, expected in expectations.columns.items():
        yield name, "be a column"
        yield from ((name, check.name) for check in _checks(expected))
        if expected.nullable is False:
            yield name, _SPOKEN["not_nullable"]
        if expected.nulls_at_most is not None:
            yield name, _few_nulls(expected.nulls_at_most)
        if expected.unique:
            yield name, _SPOKEN["field_uniqueness"]


def require(table: pd.DataFrame, expectations: Expectations) -> ValidationReport:
    """Return the report on a table that is as expected.

    Raises:
        DataRejected: It is not; the error lists every column with counts and example rows.
    """
    report = check(table, expectations)
    if report.failures:
        raise DataRejected(str(report))
    return report


def merged(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return what several lots of rows are not like; positions in a lot say nothing and are left out."""
    together: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        together.setdefault((failure.column, failure.expectation), []).append(failure)
    return tuple(
        replace(
            same[0],
            rows=sum(failure.rows for failure in same),
            examples=tuple((None, value) for failure in same for _, value in failure.examples if value)[
                :SHOWN_ROWS
            ],
        )
        for same in together.values()
    )


def _of_table(table: pd.DataFrame, expectations: Expectations) -> Iterator[Failure]:
    if len(table) < expectations.rows_at_least:
        yield Failure(WHOLE_TABLE, f"be at least {expectations.rows_at_least}", f"there are {len(table)}")
    for name, expected in expectations.columns.items():
        if name not in table.columns:
            yield Failure(name, "be a column", f"the columns are {_listed(tuple(map(str, table.columns)))}")
            continue
        share = float(table[name].isna().mean()) if len(table) else 0.0
        if expected.nulls_at_most is not None and share > expected.nulls_at_most:
            yield Failure(name, _few_nulls(expected.nulls_at_most), f"it is in {share:.2%}")
    groups = [(NOT_TWICE, list(table.columns))] if expectations.duplicates == "refused" else []
    groups += [(f"differ in {' + '.join(key)}", list(key)) for key in expectations.keys]
    for expectation, names in groups:
        if absent := [name for name in names if name not in table.columns]:
            yield Failure(WHOLE_TABLE, expectation, f"there is no column {', '.join(absent)}")
            continue
        repeated = row_content.duplicated(table, names, keep=False).to_numpy().nonzero()[0].tolist()
        if repeated:
            examples = tuple((row, "") for row in repeated[:SHOWN_ROWS])
            yield Failure(WHOLE_TABLE, expectation, rows=len(repeated), examples=examples)


def _of_columns(table: pd.DataFrame, expectations: Expectations) -> Iterator[Failure]:
    import pandera.pandas as pandera
    from pandera.errors import SchemaErrors

    present = {name: expected for name, expected in expectations.columns.items() if name in table.columns}
    schema = pandera.DataFrameSchema({name: _column(expected) for name, expected in present.items()})
    try:
        schema.validate(table[list(present)].reset_index(drop=True), lazy=True)
    except SchemaErrors as found:
        for (column, expectation), cases in found.failure_cases.groupby(["column", "check"], sort=False):
            yield _failure(str(column), str(expectation), cases, expectations.columns[column].pii)


def _failure(column: str, expectation: str, cases: pd.DataFrame, pii: bool) -> Failure:
    first = cases.sort_values("index").head(SHOWN_ROWS)
    examples = tuple(
        (int(row), "" if pii or pd.isna(value) else _shown(value))
        for row, value in zip(first["index"], first["failure_case"], strict=True)
    )
    return Failure(column, _SPOKEN.get(expectation, expectation), rows=len(cases), examples=examples)


def _few_nulls(share: float) -> str:
    return f"be null in at most {share:.2%} of the rows"


def _column(expected: ColumnExpectation) -> Any:
    import pandera.pandas as pandera

    return pandera.Column(None, _checks(expected), nullable=expected.nullable is not False, unique=expected.unique)


def _checks(expected: ColumnExpectation) -> list[Any]:
    """Each check looks at one thing: a text in a column of numbers is of the wrong kind, not too small."""
    import pandera.pandas as pandera

    checks: list[Any] = []
    if expected.kind is not None:
        article = "an" if expected.kind == "integer" else "a"
        checks.append(pandera.Check(_KINDS[expected.kind], name=f"be {article} {expected.kind}"))
    if (lowest := expected.minimum) is not None:
        checks.append(pandera.Check(lambda column: ~(_numbers(column) < lowest), name=f"be at least {lowest:g}"))
    if (highest := expected.maximum) is not None:
        checks.append(pandera.Check(lambda column: ~(_numbers(column) > highest), name=f"be at most {highest:g}"))
    if allowed := expected.allowed:
        shown = _listed(tuple(map(str, allowed)))
        checks.append(pandera.Check(lambda column: column.isin(allowed), name=f"be one of {shown}"))
    return checks


def _numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(column, errors="coerce")


def _are_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return pd.Series(True, index=column.index)
    return column.map(lambda value: isinstance(value, int | float) and not isinstance(value, bool)).astype(bool)


def _are_texts(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.map(lambda value: isinstance(value, str)).astype(bool)


def _are_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(True, index=column.index)
    written = column.where(~column.map(lambda value: isinstance(value, int | float)).astype(bool))
    return pd.to_datetime(written, errors="coerce", format="ISO8601", utc=True).notna()


def _are_booleans(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.isin([True, False]) & ~_are_numbers(column)


_KINDS = {
    "number": _are_numbers,
    "integer": lambda column: _are_numbers(column) & _numbers(column).mod(1).eq(0),
    "boolean": _are_booleans,
    "category": _are_texts,
    "text": _are_texts,
    "date": _are_dates,
}


def _example(row: int | None, value: str) -> str:
    if row is None:
        return value
    return f"row {row}: {value}" if value else f"row {row}"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_VALUES} more" if len(names) > SHOWN_VALUES else ""
    return ", ".join(names[:SHOWN_VALUES]) + more


def _shown(value: Any) -> str:
    text = ascii(value.item() if hasattr(value, "item") else value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
