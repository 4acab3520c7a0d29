"""What two versions answered to the same requests, counted in columns: no row becomes an object of Python's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from deployments.batch.logged_requests import KEPT
from deployments.batch.scored_rows import PREDICTION
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.statistics.sample import Sample

LOGGED_ID, LOGGED_PREDICTION = KEPT["prediction_id"], KEPT["prediction"]
COLUMNS = (LOGGED_ID, LOGGED_PREDICTION, PREDICTION)
"""Of a replay's output, all that is compared."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """Rows that both answered, those with another label, those with a known one, and who was right on these."""

    rows: int = 0
    disagreements: int = 0
    labels: int = 0
    candidate_right: int = 0
    stable_right: int = 0

    def __add__(self, other: _Tally) -> _Tally:
        return _Tally(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


def compared(batches: Iterable[pa.RecordBatch], truth: pa.Table, rejected: int = 0) -> Replayed:
    """Candidate and stable on the same requests.

    Args:
        batches: With the columns ``COLUMNS``: what stable had answered beside what the candidate answers.
        truth: ``prediction_id`` and ``label``, each prediction once.
        rejected: Requests that the candidate did not answer, because they do not fit it.
    """
    ids, truths = truth["prediction_id"].combine_chunks(), as_texts(truth["label"].combine_chunks())
    found = _Tally()
    for batch in batches:
        found += _tally(batch, ids, truths)
    told = f"{found.rows} requests" if found.rows else "no logged request of that time was answered by stable"
    return Replayed(
        is_done=True,
        told=told,
        rows=found.rows,
        disagreements=found.disagreements,
        candidate=Sample.of_proportion(found.candidate_right, found.labels),
        stable=Sample.of_proportion(found.stable_right, found.labels),
        rejected=rejected,
    )


def as_texts(labels: pa.Array) -> pa.Array:
    """Labels as the prediction log writes them: numbers and booleans are texts there.

    A whole number is the same label with a decimal point and without: callers' JSON has both.
    """
    return pc.replace_substring_regex(pc.cast(labels, pa.string()), r"^(-?[0-9]+)\.0+$", r"\1")


def _tally(batch: pa.RecordBatch, ids: pa.Array, truths: pa.Array) -> _Tally:
    logged = batch.column(LOGGED_PREDICTION)
    batch = batch.filter(pc.is_valid(logged))
    ours, theirs = as_texts(batch.column(PREDICTION)), as_texts(batch.column(LOGGED_PREDICTION))
    truth = truths.take(pc.index_in(batch.column(LOGGED_ID), value_set=ids))
    return _Tally(
        rows=batch.num_rows,
        disagreements=_count(pc.fill_null(pc.not_equal(ours, theirs), True)),
        labels=_count(pc.is_valid(truth)),
        candidate_right=_count(pc.equal(ours, truth)),
        stable_right=_count(pc.equal(theirs, truth)),
    )


def _count(holds: pa.Array) -> int:
    return int(pc.sum(holds).as_py() or 0)
