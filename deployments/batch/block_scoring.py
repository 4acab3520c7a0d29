"""Scoring a block of rows: assign, check, score. Rows go in and rows come out; nothing is read or written."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deployments.batch import assignment, document_rows, planning, prediction_ids, scored_rows
from deployments.batch.assignment import Assigned, SplitAssignment
from deployments.batch.input_rows import RowBlock
from deployments.batch.plan import Plan
from deployments.batch.rejected_rows import RejectedRow
from deployments.batch.row_check import Reason
from deployments.batch.scored_rows import VersionScorer
from deployments.batch.typed_rows import TypedRows, typed
from deployments.contracts import prediction_id
from deployments.contracts.model_version import Version
from deployments.contracts.wire import Columns, Floats
from deployments.documents.document_model import DocumentModel
from deployments.runtime import columns as columnar

Unscored = list[tuple[int, tuple[Reason, ...], dict[str, object]]]
"""Rows without a score: their positions, why, and what is in them."""


class BlockScorer:
    """Scores the blocks of one plan.

    Args:
        plan: Of the job.
        scorers: The versions that the plan names.
    """

    def __init__(self, plan: Plan, scorers: Mapping[Version, VersionScorer]) -> None:
        job = plan.job
        self._plan, self._scorers = plan, scorers
        schemas = [scorer.package.schema for scorer in scorers.values()]
        self.features = () if job.documents else planning.features_of(schemas)
        """Columns that a model reads; none where the rows are documents."""
        self._split = SplitAssignment(job.policy, job.header_columns) if job.policy else None
        endpoint = job.policy.endpoint if job.policy else job.model
        self._tags = {version: prediction_id.tag_of(endpoint, version) for version in scorers}

    def score(self, block: RowBlock, unit: int, begin: int) -> tuple[pa.Table, list[RejectedRow]]:
        """The block's rows with their scores, in their order, and those that have none.

        Args:
            block: The rows.
            unit: Number of the unit that they are of.
            begin: Position in the unit of the first of them.
        """
        rejected = [
            RejectedRow(block.file, one.row, (Reason("", one.reason),), {"text": one.text})
            for one in block.malformed
        ]
        rows = typed(block.table, self.features)
        numbers = prediction_ids.numbers(unit, begin, rows.table.num_rows)
        assigned = self._assigned(rows.table, numbers)
        parts, order = [], []
        for version, positions in assigned.versions.items():
            part = _taken(rows, positions)
            table, kept, bad = self._by_version(version, part, numbers[positions])
            parts.append(_with_assignment(table, assigned, positions[kept]))
            order.append(positions[kept])
            rejected += [
                RejectedRow(block.file, int(block.rows[positions[row]]), reasons, values)
                for row, reasons, values in bad
            ]
        if not parts:
            return rows.table, rejected
        scored = pa.concat_tables(parts)
        if len(parts) > 1:
            scored = scored.take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
        return scored, sorted(rejected, key=lambda one: one.row)

    def _assigned(self, table: pa.Table, numbers: NDArray[np.uint64]) -> Assigned:
        if self._split is None:
            (only,) = self._scorers
            return assignment.one_version(only, table.num_rows)
        return self._split.assign(table, prediction_ids.draws(numbers, self._plan.key))

    def _by_version(
        self, version: Version, rows: TypedRows, numbers: NDArray[np.uint64]
    ) -> tuple[pa.Table, NDArray[np.int64], Unscored]:
        """Rows that the version scored, their positions, and why the others have no score."""
        scorer = self._scorers[version]
        if scorer.documents is not None:
            return self._by_documents(version, scorer.documents, rows.table, numbers)
        checked = scorer.row_check.check(rows)
        fitting = np.flatnonzero(checked.fits)
        why = dict(scorer.row_check.reasons(rows, np.flatnonzero(~checked.fits).tolist()))
        columns = checked.columns if len(fitting) == len(checked.fits) else _columns(checked.columns, fitting)
        scored = scorer.score(columns)
        for position, error in scored.errors.items():
            why[int(fitting[position])] = [Reason("", document_rows.ROW_FAILURES[error])]
        has_score = np.isfinite(scored.scores).all(axis=1)
        kept = fitting[has_score]
        table = rows.table if len(kept) == rows.table.num_rows else rows.table.take(pa.array(kept))
        kept_columns = _columns(columns, np.flatnonzero(has_score))
        table = self._with_answers(version, table, kept_columns, scored.scores[has_score], numbers[kept])
        positions = sorted(why)
        values = rows.table.take(pa.array(positions, pa.int64())).to_pylist()
        bad = [
            (row, tuple(why[row]), {**held, **rows.unreadable.get(row, {})})
            for row, held in zip(positions, values, strict=True)
        ]
        return table, kept, bad

    def _by_documents(
        self, version: Version, model: DocumentModel, table: pa.Table, numbers: NDArray[np.uint64]
    ) -> tuple[pa.Table, NDArray[np.int64], Unscored]:
        """As ``_by_version``, where the rows are documents: asked about as of the job's planning."""
        ids = prediction_ids.make(numbers, self._plan.key, self._plan.planned, self._tags[version])
        answered = model.answer(document_rows.texts(table), ids.to_pylist(), self._plan.planned)
        why = document_rows.reasons(answered)
        positions = sorted(why)
        kept = np.setdiff1d(np.arange(table.num_rows), positions)
        answers = [answer and answer.decode() for answer in answered.reply.answers]
        scored = self._with_answers(
            version, table.take(pa.array(kept)), None, answered.scored.scores[kept], numbers[kept]
        )
        told = scored.append_column(scored_rows.ANSWER, pa.array(answers, pa.string()).take(pa.array(kept)))
        values = table.take(pa.array(positions, pa.int64())).to_pylist()
        return told, kept, [(row, tuple(why[row]), held) for row, held in zip(positions, values, strict=True)]

    def _with_answers(
        self,
        version: Version,
        table: pa.Table,
        columns: Columns | None,
        scores: Floats,
        numbers: NDArray[np.uint64],
    ) -> pa.Table:
        """The rows with what the version says of them; ``columns`` are what is explained."""
        scorer = self._scorers[version]
        returned = scorer.metadata.positions_of_labels(scores)
        prediction, probability = scored_rows.answer_columns(scores, returned, scorer.metadata)
        added = {
            scored_rows.PREDICTION: prediction,
            scored_rows.PROBABILITY: probability,
            scored_rows.MODEL_VERSION: pa.repeat(scorer.text, len(scores)),
            scored_rows.PREDICTION_ID: prediction_ids.make(
                numbers, self._plan.key, self._plan.planned, self._tags[version]
            ),
        }
        if self._plan.job.explanations and columns is not None:
            added[scored_rows.EXPLANATION] = scorer.explanations(columns, scores, returned)
        for name, column in added.items():
            table = table.append_column(name, column)
        return table


def _taken(rows: TypedRows, positions: NDArray[np.int64]) -> TypedRows:
    if len(positions) == rows.table.num_rows:
        return rows
    places_of = {int(row): place for place, row in enumerate(positions)}
    unreadable = {places_of[row]: texts for row, texts in rows.unreadable.items() if row in places_of}
    return TypedRows(rows.table.take(pa.array(positions)), unreadable)


def _columns(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    return columns if len(rows) == len(columns) else columnar.take(columns, rows.tolist())


def _with_assignment(table: pa.Table, assigned: Assigned, positions: NDArray[np.int64]) -> pa.Table:
    if assigned.reasons is None or assigned.propensities is None:
        return table
    reasons, propensities = assigned.reasons, assigned.propensities
    chosen = positions.tolist()
    table = table.append_column(assignment.REASON, pa.array([reasons[row] for row in chosen], pa.string()))
    return table.append_column(
        assignment.PROPENSITY, pa.array([propensities[row] for row in chosen], pa.float64())
    )
