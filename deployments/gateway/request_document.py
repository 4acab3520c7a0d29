"""From the bytes of a request to its parts, without knowing any model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from deployments.contracts.errors import FieldProblem, InvalidRows, InvalidVersion, MalformedRequest
from deployments.contracts.model_version import Version
from deployments.gateway import lenient_json
from deployments.gateway.row_validation import PROBLEM_LIMIT, shown_name

_FIELDS = frozenset({"model_id", "model_version", "features", "options"})
_OPTIONS = frozenset({"return_probabilities", "return_explanations"})
_NO_OPTIONS: dict[str, bool] = {}


@dataclass(frozen=True, slots=True)
class RequestDocument:
    """A predict request whose frame is sound; its rows have not been looked at.

    Attributes:
        model_id: Name of the endpoint.
        rows: At least one JSON value.
        single: The caller sent one object and gets one answer, not a list.
        probabilities: Whether every class's probability was asked for.
        explanations: Whether the contributions of the features were asked for.
        version: The version that must answer, or None: then the endpoint's traffic policy chooses.
        text: The whole body, where the endpoint's own transformers are to read it; ``rows`` then holds it parsed.
    """

    model_id: str
    rows: list[Any]
    single: bool
    probabilities: bool = False
    explanations: bool = False
    version: Version | None = None
    text: str | None = None

    @property
    def first_row(self) -> dict[str, Any]:
        """The first row, or nothing if it is not an object: it is about to be refused then."""
        first = self.rows[0]
        return first if type(first) is dict else {}


def read(body: bytes) -> RequestDocument:
    """Read a request.

    Raises:
        MalformedRequest: Not JSON, or not an object.
        InvalidRows: A field of the frame is missing, unknown or of the wrong type, or there is no row.
    """
    document = parse(body)
    if not isinstance(document, dict):
        raise MalformedRequest('the body must be a JSON object such as {"model_id": "...", "features": {...}}')
    problems = _frame_problems(document)
    if problems:
        raise InvalidRows(tuple(problems))
    features = document["features"]
    single = type(features) is dict
    options = document.get("options", _NO_OPTIONS)
    version = document.get("model_version")
    return RequestDocument(
        model_id=document["model_id"],
        rows=[features] if single else features,
        single=single,
        probabilities=options.get("return_probabilities", False),
        explanations=options.get("return_explanations", False),
        version=None if version is None else Version.parse(version),
    )


def parse(body: bytes) -> Any:
    """Any JSON value.

    Raises:
        MalformedRequest: Not JSON.
        InvalidRows: A feature is written as NaN or Infinity.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _explain_not_finite(body)
        raise MalformedRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None


def _explain_not_finite(body: bytes) -> None:
    """JSON has no NaN and no Infinity, but common encoders write them: name the row and the field.

    Raises:
        InvalidRows: A feature is written as NaN or Infinity; nothing else is wrong with the JSON.
    """
    try:
        document = lenient_json.loads(body)
        features = document.get("features")
    except (ValueError, RecursionError, AttributeError):
        return
    rows = features if isinstance(features, list) else [features]
    problems = (
        FieldProblem(
            f"features[{position}].{shown_name(name)}"
            if isinstance(features, list)
            else f"features.{shown_name(name)}",
            f"must be a finite number, not {value}",
        )
        for position, row in enumerate(rows)
        if isinstance(row, dict)
        for name, value in row.items()
        if isinstance(value, float) and not math.isfinite(value)
    )
    if told := tuple(islice(problems, PROBLEM_LIMIT)):
        raise InvalidRows(told)


def _frame_problems(document: dict[str, Any]) -> list[FieldProblem]:
    problems = []
    if type(document.get("model_id")) is not str:
        problems.append(FieldProblem("model_id", "is required: the name of the endpoint, a text"))
    if "model_version" in document:
        problems.extend(_version_problems(document["model_version"]))
    features = document.get("features")
    if type(features) is not dict and type(features) is not list:
        problems.append(FieldProblem("features", "is required: an object of feature values, or a list of them"))
    elif type(features) is list and not features:
        problems.append(FieldProblem("features", "must hold at least one row"))
    if "options" in document:
        problems.extend(_option_problems(document["options"]))
    if not document.keys() <= _FIELDS:
        unknown = sorted(shown_name(name) for name in document.keys() - _FIELDS)[:5]
        problems.append(
            FieldProblem(", ".join(unknown), f"unknown; a request has the fields {', '.join(sorted(_FIELDS))}")
        )
    return problems


def _version_problems(version: Any) -> list[FieldProblem]:
    """A version that is asked for is a text such as 1.1.0; without a wish the field is left out."""
    try:
        if type(version) is str:
            Version.parse(version)
            return []
    except InvalidVersion:
        pass
    return [FieldProblem("model_version", "must be a version number such as 1.1.0, a text")]


def _option_problems(options: Any) -> list[FieldProblem]:
    if type(options) is not dict:
        return [FieldProblem("options", "must be an object")]
    problems = [
        FieldProblem(f"options.{shown_name(name)}", f"unknown; options are {', '.join(sorted(_OPTIONS))}")
        for name in list(options.keys() - _OPTIONS)[:5]
    ]
    problems.extend(
        FieldProblem(f"options.{name}", "must be true or false")
        for name in _OPTIONS & options.keys()
        if type(options[name]) is not bool
    )
    return problems
