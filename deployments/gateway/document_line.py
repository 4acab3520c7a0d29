"""How documents are sent to one version's pool, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.contracts.document_reply import DocumentReply
from deployments.contracts.errors import InvalidRows, TransformerFailed
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import Documents
from deployments.contracts.transformation import DocumentSchemas
from deployments.gateway.dispatch import Dispatcher
from deployments.gateway.row_validation import ValidatedRows


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
