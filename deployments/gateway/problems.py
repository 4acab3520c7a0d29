"""The one table that turns errors into HTTP: status, code, and what the caller may know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import orjson

from deployments.contracts import errors


class Code(StrEnum):
    """Every code that an answer can carry in ``code``."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    UNSCORABLE_ROW = "UNSCORABLE_ROW"
    MODEL_ERROR = "MODEL_ERROR"
    OVERLOADED = "OVERLOADED"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the caller sees it.

    Attributes:
        status: HTTP status.
        code: Out of the closed list.
        error: What happened, in a few words that do not vary.
        details: This occurrence: names rows, fields and limits, never internals.
        retry_after: Seconds, for the Retry-After header; 0 leaves it out.
    """

    status: int
    code: Code
    error: str
    details: str
    retry_after: int = 0

    def document(self) -> dict[str, str]:
        """The body as an object."""
        return {"error": self.error, "details": self.details, "code": self.code.value}

    def body(self) -> bytes:
        """The body as JSON."""
        return orjson.dumps(self.document())

    def headers(self) -> dict[str, str]:
        """Headers besides content type and length."""
        return {"retry-after": str(self.retry_after)} if self.retry_after else {}


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    code: Code
    error: str
    retry_after: int = 0


_TABLE: dict[type[errors.RaygateError], _Row] = {
    errors.MalformedRequest: _Row(400, Code.MALFORMED_REQUEST, "the request cannot be read"),
    errors.BodyTooLarge: _Row(413, Code.BODY_TOO_LARGE, "the request is too large"),
    errors.InvalidRows: _Row(422, Code.VALIDATION_ERROR, "the request does not fit the model"),
    errors.UnknownEndpoint: _Row(404, Code.MODEL_NOT_FOUND, "no such model"),
    errors.Overloaded: _Row(503, Code.OVERLOADED, "too many requests wait", retry_after=1),
    errors.PoolUnavailable: _Row(503, Code.MODEL_UNAVAILABLE, "the model cannot answer now", retry_after=2),
    errors.WireMismatch: _Row(503, Code.MODEL_UNAVAILABLE, "the model cannot answer now", retry_after=2),
    errors.DeadlineExceeded: _Row(504, Code.DEADLINE_EXCEEDED, "the model did not answer in time"),
}


def problem(error: BaseException) -> Problem:
    """What the caller is told of an error; anything unforeseen becomes INTERNAL_ERROR without a word of it."""
    if isinstance(error, errors.RowFailed):
        return row_problem(error.reason)
    # By base class too: Ray wraps an error of another process in a class made of its own and the error's.
    row = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), None)
    if row is None:
        return Problem(500, Code.INTERNAL_ERROR, "internal error", "the gateway could not handle this request")
    details = "it speaks another release's language" if isinstance(error, errors.WireMismatch) else str(error)
    return Problem(row.status, row.code, row.error, details, row.retry_after)


def row_problem(reason: str) -> Problem:
    """What the caller is told of a row without a score."""
    if reason == "not_finite":
        return Problem(
            422,
            Code.UNSCORABLE_ROW,
            "the row has no score",
            "the model's score for these values is not a finite number",
        )
    return Problem(500, Code.MODEL_ERROR, "the model failed", "the model raised an error on this row")


def http_problem(status: int, detail: str) -> Problem:
    """What the caller is told of a status that the web framework decided."""
    known = {404: (Code.NOT_FOUND, "no such path"), 405: (Code.METHOD_NOT_ALLOWED, "method not allowed")}
    if status in known:
        code, title = known[status]
        return Problem(status, code, title, detail)
    if status < 500:
        return Problem(status, Code.MALFORMED_REQUEST, "the request cannot be read", detail)
    return Problem(status, Code.INTERNAL_ERROR, "internal error", "the gateway could not handle this request")
