"""A pair of transformers: what turns a document into features and a prediction into an answer, typed."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from pydantic import BaseModel

from deployments.contracts.traffic_policy import Expressions, Transformer
from deployments.contracts.transformation import DocumentSchemas, Prediction, row_schema
from deployments.documents import packaged_code
from deployments.documents.errors import TransformerUnusable
from deployments.documents.expression_transformers import AnswerExpressions, FeatureExpressions
from deployments.runtime.package import ModelPackage

Features = Mapping[str, float | int | bool | str | None]


@dataclass(frozen=True, slots=True)
class Transformers:
    """What an endpoint puts around its model.

    Attributes:
        pre: From a document, and the time of the request (UTC), to one row of features.
        post: From the same document, its features and its prediction to the answer.
        document: What callers send.
        answer: What they get.
        fingerprint: Of documents as rows for these two: pool and gateway compare it.
    """

    pre: Callable[[Any, datetime], Features]
    post: Callable[[Any, Features, Prediction], BaseModel]
    document: type[BaseModel]
    answer: type[BaseModel]
    fingerprint: str

    @classmethod
    def load(cls, package: ModelPackage, pre: Transformer, post: Transformer) -> Transformers:
        """Import functions out of a package's code, and read expressions by its schema.

        Args:
            package: A verified package.
            pre: Import path of ``(document, at) -> features``, or expressions.
            post: Import path of ``(document, prediction) -> answer``, or expressions.

        Raises:
            TransformerUnusable: A function is not there, its annotations do not name pydantic models, or an
                expression does not fit the package.
        """
        taken, features_of = _pre(package, pre)
        given, answer_of = _post(package, post, taken)
        return cls(features_of, answer_of, taken, given, row_schema(pre, post).fingerprint)

    @property
    def schemas(self) -> DocumentSchemas:
        """JSON schemas of documents and answers."""
        return DocumentSchemas(
            request=self.document.model_json_schema(mode="validation"),
            answer=self.answer.model_json_schema(mode="serialization"),
        )


def _pre(package: ModelPackage, pre: Transformer) -> tuple[type[BaseModel], Callable[[Any, datetime], Features]]:
    """The document that a pre-transformer takes, and itself."""
    if isinstance(pre, Expressions):
        written = FeatureExpressions(pre, package.schema)
        return written.document, written
    function = packaged_code.load(package, pre)
    return _types(function, pre)[0], function


def _post(
    package: ModelPackage, post: Transformer, taken: type[BaseModel]
) -> tuple[type[BaseModel], Callable[[Any, Features, Prediction], BaseModel]]:
    """The answer that a post-transformer gives, and itself; a function takes the document and not its features."""
    if isinstance(post, Expressions):
        written = AnswerExpressions(post, package.schema, package.metadata)
        return written.answer, written
    function = packaged_code.load(package, post)
    told, given = _types(function, post)
    if given is None:
        raise TransformerUnusable(post, "must be annotated to return a pydantic model: the answer")
    if taken is not told:
        reason = f"takes a {told.__name__}, the pre-transformer a {taken.__name__}; both take the same document"
        raise TransformerUnusable(post, reason)
    return given, lambda document, _, prediction: function(document, prediction)


def _types(function: Any, path: str) -> tuple[type[BaseModel], type[BaseModel] | None]:
    """The model of the first of two parameters, and the returned one if it is a model."""
    if not inspect.isfunction(function):
        raise TransformerUnusable(path, f"is {type(function).__name__}, not a function")
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2:
        raise TransformerUnusable(path, f"takes {len(parameters)} arguments and must take two")
    try:
        annotations = typing.get_type_hints(function)
    except Exception as error:  # a name in an annotation that does not exist
        raise TransformerUnusable(path, f"its annotations cannot be read: {error}") from error
    taken, given = annotations.get(parameters[0].name), annotations.get("return")
    if not _is_model(taken):
        raise TransformerUnusable(path, "its first argument must be annotated with a pydantic model: the document")
    return taken, given if _is_model(given) else None


def _is_model(found: Any) -> TypeGuard[type[BaseModel]]:
    return inspect.isclass(found) and issubclass(found, BaseModel)
