"""Feedback, and predictions together with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deployments.prediction_log import catalogue, schema_union
from deployments.prediction_log.columns import FEEDBACK_COLUMNS
from deployments.prediction_log.personal_data import PersonalDataKeys
from deployments.prediction_log.reader import between, consistently, read, tables_of
from deployments.storage.location import Location

REPEATED_WITHIN = timedelta(days=1)
"""Feedback that is sent again comes within this time: so far back a span is searched for the first of them."""
JOINED_COLUMNS = ("feedback_id", "label", "value", "received")


def read_feedback(
    uri: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    repeated_within: timedelta = REPEATED_WITHIN,
) -> pa.Table:
    """Feedback, each once: of several with one ``feedback_id`` the first.

    Args:
        uri: Root of the log.
        since: Only what was received then or later.
        until: Only what was received earlier.
        repeated_within: How far before ``since`` the first of several is looked for. Zero reads least, and gives
            what was sent again as if it were new.

    Returns:
        The columns of ``columns.FEEDBACK_COLUMNS``, in the order of arrival.

    Raises:
        InvalidLogQuery: A moment has no time zone.
        StorageUnreachable: The place cannot be read.
    """
    location = Location.of(uri)

    def attempt() -> pa.Table:
        paths = catalogue.feedback(location, since and since - repeated_within, until)
        return schema_union.joined(tables_of(location, paths, None, None), FEEDBACK_COLUMNS)

    table = consistently(location, attempt).sort_by(
        [("received", "ascending"), ("gateway", "ascending"), ("sequence", "ascending")]
    )
    _, firsts = np.unique(table["feedback_id"].to_numpy(zero_copy_only=False).astype(str), return_index=True)
    return between(table.take(np.sort(firsts)), "received", since, until)


def latest(told: pa.Table) -> pa.Table:
    """The rows that hold the label that counts: of several of one prediction the one that came last.

    A correction replaces what was said before; feedback with a value alone takes no label back.

    Args:
        told: ``prediction_id`` and ``label`` among its columns, in the order of arrival, as ``read_feedback`` and
            ``labelled`` give them; of the latter the rows of one stage.

    Returns:
        Each prediction that has a label once, in the order of ``told``.
    """
    told = told.filter(pc.is_valid(told["label"]))
    last = _numbered(told, "place").group_by("prediction_id").aggregate([("place", "max")])
    return told.take(np.sort(last["place_max"].to_numpy()))


def labelled(
    uri: str,
    *,
    model: str | None = None,
    version: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    columns: Sequence[str] | None = None,
    keys: PersonalDataKeys | None = None,
) -> pa.Table:
    """Predictions of a span of time with the feedback on them, however late it came.

    Arguments and errors are those of ``reader.read``.

    Returns:
        One row for each feedback on each answer (a shadow's answer to the row counts too: see ``stage``), with the
        columns of the prediction and ``JOINED_COLUMNS``.
    """
    wanted = None if columns is None else [*columns, *({"prediction_id"} - set(columns))]
    told = read_feedback(uri, since=since)
    ids = told["prediction_id"].unique()  # few predictions are judged, and memory is to hold no others
    predictions = read(
        uri, model=model, version=version, since=since, until=until, columns=wanted, keys=keys, ids=ids
    )
    pairs = _numbered(predictions, "answer").join(_numbered(told, "feedback"), "prediction_id", join_type="inner")
    pairs = pairs.sort_by([("answer", "ascending"), ("feedback", "ascending")])
    result = predictions.take(pairs["answer"])
    for name in JOINED_COLUMNS:
        result = result.append_column(name, told[name].take(pairs["feedback"]))
    return result if columns is None else result.select([*_present(columns, result), *JOINED_COLUMNS])


def _present(columns: Sequence[str], table: pa.Table) -> list[str]:
    return [name for name in columns if name in table.schema.names]


def _numbered(table: pa.Table, name: str) -> pa.Table:
    """Ids with the number of their row: Arrow joins no columns that hold lists."""
    return pa.table({"prediction_id": table["prediction_id"], name: pa.array(np.arange(table.num_rows))})
