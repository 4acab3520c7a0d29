"""Documents in, answers out: an endpoint's transformers around the model of its package. No Ray, no clock."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ValidationError

from deployments.contracts.document_reply import DocumentReply, Stage, TransformerFailure
from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.traffic_policy import Transformer
from deployments.contracts.transformation import DocumentRefused, Prediction
from deployments.contracts.wire import Columns
from deployments.documents.transformers import Features, Transformers
from deployments.gateway.row_validation import RowValidator, ValidatedRows
from deployments.runtime.predictor import Predictor, Scored

_log = logging.getLogger("raygate.documents")


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of n documents.

    Attributes:
        scored: Of the model, one row a document; NaN where it was not asked.
        reply: Everything else.
    """

    scored: Scored
    reply: DocumentReply


class _Asked(NamedTuple):
    """A document, what was made of it, and that as the model takes it."""

    document: BaseModel
    features: Features
    row: ValidatedRows


class DocumentModel:
    """One package's model behind a pair of transformers, online and in batch the same.

    Args:
        predictor: The model.
        transformers: Around it.
    """

    def __init__(self, predictor: Predictor, transformers: Transformers) -> None:
        self._predictor, self.transformers = predictor, transformers
        self._metadata = predictor.package.metadata
        self._validator = RowValidator(predictor.package.schema)

    @classmethod
    def load(cls, predictor: Predictor, pre: Transformer, post: Transformer) -> DocumentModel:
        """The model of a package behind transformers of the same package.

        Raises:
            TransformerUnusable: The package has no such transformers, or they cannot be loaded.
        """
        return cls(predictor, Transformers.load(predictor.package, pre, post))

    def answer(self, documents: Sequence[str | None], ids: Sequence[str], at: datetime) -> Answered:
        """Answer documents; never raises for what is in them, nor for what a transformer does with them.

        Args:
            documents: JSON.
            ids: Prediction ids, one a document.
            at: When they are asked about, UTC.
        """
        reply = self._nothing(len(documents))
        asked: dict[int, _Asked] = {}
        for position, text in enumerate(documents):
            made = self._asked(position, text, at, reply)
            if made is not None:
                asked[position] = made
        scored = self._scored(list(asked), [made.row for made in asked.values()], reply)
        for position, made in asked.items():
            if position not in scored.errors:
                scores = scored.scores[position].tolist()
                self._conclude(position, made, _prediction(self._metadata, scores, ids[position], at), reply)
        return Answered(scored, reply)

    def _asked(self, position: int, text: str | None, at: datetime, reply: DocumentReply) -> _Asked | None:
        """What the model is asked for a document; None, and why in the reply, where it is asked nothing."""
        try:
            try:
                document = self.transformers.document.model_validate_json(text or "")
            except ValidationError as error:  # the document's; the transformer may raise one of its own
                reply.refused[position] = _problems(error)
                return None
            features = dict(self.transformers.pre(document, at))
            return _Asked(document, features, self._validator.validate([features], single=True))
        except DocumentRefused as error:
            reply.refused[position] = (FieldProblem(error.field, error.message),)
        except InvalidRows as error:
            fields = ", ".join(sorted({problem.where.removeprefix("features.") for problem in error.problems}))
            cause = f"it gave features that do not fit the model: {fields}"
            reply.failures[position] = TransformerFailure(Stage.PRE.value, cause)
        except Exception as error:  # whatever its author's code raises, that of the document's type included
            reply.failures[position] = _failure(Stage.PRE, error)
        return None

    def _scored(self, positions: list[int], rows: list[ValidatedRows], reply: DocumentReply) -> Scored:
        """Scores of the rows at their positions; notes the features in the reply."""
        if not rows:
            return Scored(np.full((len(reply.answers), 1), np.nan), self._predictor.path)
        columns = self._validator.join(rows)
        _note_features(columns, positions, reply)
        scored = self._predictor.predict(columns)
        scores = np.full((len(reply.answers), scored.scores.shape[1]), np.nan)
        scores[positions] = scored.scores
        errors = {positions[row]: code for row, code in scored.errors.items()}
        return Scored(scores, scored.path, errors)

    def _conclude(self, position: int, made: _Asked, prediction: Prediction, reply: DocumentReply) -> None:
        try:
            answer = self.transformers.post(made.document, made.features, prediction)
            if not isinstance(answer, self.transformers.answer):
                raise TypeError
            reply.answers[position] = answer.model_dump_json().encode()
        except Exception as error:  # whatever its author's code raises
            reply.failures[position] = _failure(Stage.POST, error)

    def _nothing(self, count: int) -> DocumentReply:
        schema = self._predictor.package.schema
        texts: tuple[list[str | None], ...] = tuple([None] * count for _ in schema.textual)
        return DocumentReply(np.full((count, len(schema.numeric)), np.nan), texts, [None] * count)


def _note_features(columns: Columns, positions: list[int], reply: DocumentReply) -> None:
    reply.numbers[positions] = np.where(columns.valid, columns.numeric, np.nan)
    for column, made in zip(reply.texts, columns.textual, strict=True):
        for position, text in zip(positions, made, strict=True):
            column[position] = text


def _prediction(metadata: ModelMetadata, scores: list[float], made: str, at: datetime) -> Prediction:
    version = str(metadata.version)
    if metadata.task is Task.REGRESSION:
        value = dict(zip(metadata.targets, scores, strict=True)) if metadata.targets else scores[0]
        return Prediction(value, None, {}, version, made, at)
    best = metadata.position_of_label(scores)
    texts = metadata.class_texts
    probabilities = dict(zip(texts, scores, strict=True))
    return Prediction(metadata.classes[best], scores[best], probabilities, version, made, at)


def _problems(error: ValidationError) -> tuple[FieldProblem, ...]:
    """What is wrong with a document, without its values."""
    return tuple(
        FieldProblem(".".join(map(str, found["loc"])) or "document", found["msg"].removeprefix("Value error, "))
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _failure(stage: Stage, error: Exception) -> TransformerFailure:
    """The log says where; a message may hold what stands in the document, so nobody is told of it."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    _log.warning(
        "the %s-transformer raised %s at %s:%s", stage, type(error).__name__, where.filename, where.lineno
    )
    return TransformerFailure(stage.value, f"it raised {type(error).__name__}")
