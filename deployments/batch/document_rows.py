"""Rows that are documents of an endpoint: its transformers around the model, as they are online."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa

from deployments.batch.input_rows import is_json
from deployments.batch.row_check import Reason
from deployments.documents.document_model import Answered

ROW_FAILURES = {
    "model_error": "the model raised an error on this row",
    "not_finite": "the model's score for these values is not a finite number",
}
"""Why a row that fits has no score, by the model's error code."""


def texts(table: pa.Table) -> list[str]:
    """Each row as the JSON of a document.

    A column has a place in every row, so a null is a field that was not sent.
    """
    nested = [field.name for field in table.schema if is_json(field)]
    documents = []
    for row in table.to_pylist():
        document = without_nulls(row)
        for name in nested:
            if name in document:
                document[name] = _nested(document[name])
        documents.append(orjson.dumps(document, default=str).decode())
    return documents


def _nested(text: str) -> Any:
    """The value behind a text of a column of several types: a text among them stands there as it is."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def without_nulls(value: Any) -> Any:
    """A value without the fields of it that are null, at any depth.

    >>> without_nulls({"lead": {"age": 30, "built": None}, "at": None})
    {'lead': {'age': 30}}
    """
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def reasons(answered: Answered) -> dict[int, list[Reason]]:
    """Why documents have no answer, by position."""
    why = {
        row: [Reason(problem.where, problem.message) for problem in problems]
        for row, problems in answered.reply.refused.items()
    }
    for row, failure in answered.reply.failures.items():
        why[row] = [Reason("", f"the {failure.stage}-transformer failed: {failure.cause}")]
    for row, code in answered.scored.errors.items():
        why[row] = [Reason("", ROW_FAILURES[code])]
    return why
