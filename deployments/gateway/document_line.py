"""How documents are sent to one version's pool, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployments.contracts.document_reply import DocumentReply
from deployments.contracts.errors import InvalidRows, RowFailed, TransformerFailed
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import Documents
from deployments.contracts.transformation import DocumentSchemas
from deployments.gateway.dispatch import Dispatcher
from deployments.gateway.row_validation import ValidatedRows

if TYPE_CHECKING:
    from deployments.gateway.answer import Answer


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """The line of one version.

    Attributes:
        named: Transformers and route, as the policy has them.
        schemas: As the pool has them.
        dispatcher: Sends documents as rows of one text.
    """

    named: Documents
    schemas: DocumentSchemas
    dispatcher: Dispatcher


def features_of(version: ModelVersion, reply: DocumentReply) -> ValidatedRows:
    """The features that a pool made of the one document of a request.

    Raises:
        InvalidRows: The document was refused.
        TransformerFailed: A transformer failed on it.
    """
    if 0 in reply.refused:
        raise InvalidRows(reply.refused[0])
    if 0 in reply.failures:
        raise TransformerFailed(str(version), reply.failures[0].stage, reply.failures[0].cause)
    texts = [column[0] for column in reply.texts]
    return ValidatedRows(1, reply.numbers[0].tolist(), texts, [])


def answer_of(answer: Answer) -> bytes:
    """The JSON that the post-transformer made; counts the label behind it.

    Raises:
        RowFailed: The model has no score for it.
    """
    failure = answer.scores.errors.get(0)
    if failure is not None:
        raise RowFailed(str(answer.served.name), failure)
    answer.served.read(answer.scores.values[0].tolist(), probabilities=False)
    assert answer.scores.documents is not None
    made = answer.scores.documents.answers[0]
    assert made is not None
    return made
