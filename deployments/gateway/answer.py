"""The answer to a request, and the document of it that its caller gets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deployments.contracts.errors import RowFailed
from deployments.gateway.problems import row_problem
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.row_queue import Scores
from deployments.gateway.row_validation import ValidatedRows
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.routing.assignment import Assignment


@dataclass(frozen=True, slots=True)
class Answer:
    """What a version said of the rows of one request.

    Attributes:
        endpoint: Under the policy that decided.
        assignment: Which version the policy chose, and why.
        served: The version that answered.
        failover: Why another than the assigned one answered (an error code), or empty.
        ids: Prediction ids, one a row.
        rows: As they were checked.
        scores: One a row.
    """

    endpoint: ServedEndpoint
    assignment: Assignment
    served: ServedVersion
    failover: str
    ids: list[str]
    rows: ValidatedRows
    scores: Scores


def document(answer: Answer, asked: RequestDocument) -> dict[str, Any]:
    """The document of ``PredictResponse`` or ``PredictRowsResponse``.

    Raises:
        RowFailed: The only row has no score.
    """
    made: dict[str, Any] = {"model_id": asked.model_id, "model_version": answer.served.text}
    if asked.single:
        failure = answer.scores.errors.get(0)
        if failure is not None:
            raise RowFailed(str(answer.served.name), failure)
        made.update(_row(answer, asked, 0, answer.scores.values[0].tolist()))
    else:
        made["predictions"] = [
            _row(answer, asked, position, scores) for position, scores in enumerate(answer.scores.values.tolist())
        ]
    made["timestamp"] = datetime.now(UTC)
    if answer.failover:
        made["failover_from"] = str(answer.assignment.version)
    if answer.rows.unseen:
        made["warnings"] = [
            {"row": position, "field": name, "message": "training never saw this category"}
            for position, name in answer.rows.unseen
        ]
    return made


def own_document(answer: Answer) -> bytes:
    """The JSON that the endpoint's post-transformer made; counts the label behind it.

    Raises:
        RowFailed: The model has no score for it.
    """
    failure = answer.scores.errors.get(0)
    if failure is not None:
        raise RowFailed(str(answer.served.name), failure)
    answer.served.tell_and_count(answer.scores.values[0].tolist(), probabilities=False)
    assert answer.scores.documents is not None
    made = answer.scores.documents.answers[0]
    assert made is not None
    return made


def _row(answer: Answer, asked: RequestDocument, position: int, scores: list[float]) -> dict[str, Any]:
    """One row; where the model has no score it carries an error, its neighbours their answers."""
    failure = answer.scores.errors.get(position)
    if failure is not None:
        entry: dict[str, Any] = {"prediction": None, "error": row_problem(failure).document()}
    else:
        entry = answer.served.tell_and_count(scores, asked.probabilities)
        if asked.explanations:
            entry.update(_explanation(answer, position, scores))
    entry["prediction_id"] = answer.ids[position]
    return entry


def _explanation(answer: Answer, position: int, scores: list[float]) -> dict[str, Any]:
    """The explanation of one row, or why it has none: a missing explanation never fails a prediction."""
    explanations, served = answer.scores.explanations, answer.served
    found = explanations.explained.get(position) if explanations else None
    if found is not None:
        label = served.position_of_label(scores)
        return {"explanations": found.document(served.schema, served.metadata, label)}
    reason = explanations.unexplained.get(position, "not_supported") if explanations else "not_supported"
    return {"explanations": None, "unexplained": str(reason)}
