"""Transformers that are written as expressions: typed by the package's own schema, without any code in it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from deployments.contracts import labels
from deployments.contracts.document_reply import Stage
from deployments.contracts.feature_schema import Feature, FeatureKind, FeatureSchema
from deployments.contracts.package import ModelMetadata, Task
from deployments.contracts.traffic_policy import Expressions
from deployments.contracts.transformation import Prediction
from deployments.documents.errors import TransformerUnusable
from deployments.documents.expression import Kind, Scope, Typed, Value, evaluate
from deployments.runtime.transformers.formula_grammar import InvalidFormula

_Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, serialize_by_alias=True)


class FeatureExpressions:
    """A pre-transformer: a feature is what its expression gives, or the document's field of its name.

    Args:
        written: An expression for some of the features.
        schema: The features that the model takes.

    Attributes:
        document: What callers send: a field for every name, of the type and as optional as its uses let it be.
            Fields beside them are left alone, since routes and rules may look at them.

    Raises:
        TransformerUnusable: Names the field whose expression is wrong.
    """

    def __init__(self, written: Expressions, schema: FeatureSchema) -> None:
        features = {feature.name: feature for feature in schema.features}
        for name in written.expressions:
            if name not in features:
                raise _unusable(Stage.PRE, name, f"is not a feature of the model; features: {', '.join(features)}")
        scope = Scope(finds=True)
        self._made: dict[str, ast.expr] = {}
        for name, feature in features.items():
            text = written.expressions.get(name, f"column({name!r})")
            try:
                self._made[name] = scope.tree_of(text, _typed(feature))
            except InvalidFormula as error:
                raise _unusable(Stage.PRE, name, str(error)) from error
        fields = [(name, typed, None if typed.nullable else ...) for name, typed in scope.names.items()]
        self.document = _model("Document", fields, {float: float})

    def __call__(self, document: BaseModel, at: datetime) -> dict[str, Value]:
        """Features of a document."""
        values = document.model_dump()
        return {name: evaluate(tree, values, {}) for name, tree in self._made.items()}


class AnswerExpressions:
    """A post-transformer: a field of the answer is what its expression gives.

    Args:
        written: An expression for each field.
        schema: The features that the model takes: expressions may name them.
        metadata: How the model's scores are to be read.

    Attributes:
        answer: What callers get; a field that may have no value is null then.

    Raises:
        TransformerUnusable: Names the field whose expression is wrong.
    """

    def __init__(self, written: Expressions, schema: FeatureSchema, metadata: ModelMetadata) -> None:
        names = {feature.name: _typed(feature) for feature in schema.features} | _predicted(metadata)
        scope = Scope(names, metadata.class_texts)
        self._made: dict[str, ast.expr] = {}
        fields = []
        for name, text in written.expressions.items():
            try:
                self._made[name], typed = scope.typed(text)
            except InvalidFormula as error:
                raise _unusable(Stage.POST, name, str(error)) from error
            fields.append((name, typed, ...))
        self._label_is_text = "prediction" in names and names["prediction"].kind is str
        self.answer = _model("Answer", fields, {float: _Number})

    def __call__(self, document: object, features: Mapping[str, Value], prediction: Prediction) -> BaseModel:
        """The answer to a document of which features were made and of which the model predicted something."""
        values = {
            **features,
            "probability": prediction.probability,
            "model_version": prediction.model_version,
            **self._told(prediction),
        }
        made = {name: evaluate(tree, values, prediction.probabilities) for name, tree in self._made.items()}
        return self.answer.model_validate(made)

    def _told(self, prediction: Prediction) -> Mapping[str, Value]:
        told = prediction.prediction
        if isinstance(told, dict):
            return told
        return {"prediction": labels.text(told) if self._label_is_text else told}


def _typed(feature: Feature) -> Typed:
    kinds: dict[FeatureKind, Kind] = {FeatureKind.NUMBER: float, FeatureKind.BOOLEAN: bool}
    return Typed(kinds.get(feature.kind, str), feature.nullable)


def _predicted(metadata: ModelMetadata) -> dict[str, Typed]:
    """Names of what the model says, with their types; labels of several types are texts."""
    version = {"model_version": Typed(str, False)}
    if metadata.task is Task.REGRESSION:
        return {name: Typed(float, False) for name in metadata.targets or ("prediction",)} | version
    kinds: set[Kind] = {float if type(label) is int else type(label) for label in metadata.classes}
    label = Typed(kinds.pop() if len(kinds) == 1 else str, False)
    return {"prediction": label, "probability": Typed(float, False), **version}


def _model(
    title: str, fields: Iterable[tuple[str, Typed, Any]], annotations: Mapping[Kind, Any]
) -> type[BaseModel]:
    """A type with fields of any name, given as name, type and default; annotations say what a kind is in it."""
    parts: dict[str, Any] = {}
    for position, (name, typed, default) in enumerate(fields):
        annotation = annotations.get(typed.kind, typed.kind)
        optional = annotation | None if typed.nullable else annotation
        parts[f"field_{position}"] = (optional, Field(default, alias=name, title=name))
    return create_model(title, __config__=_STRICT, **parts)


def _unusable(stage: Stage, name: str, reason: str) -> TransformerUnusable:
    return TransformerUnusable(f"{stage}.expressions.{name}", reason)
