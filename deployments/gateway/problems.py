"""The one table that turns errors into HTTP: status, code, and what the caller may know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import orjson

from deployments.access import errors as refusals
from deployments.batch import errors as batch_errors
from deployments.contracts import errors
from deployments.gateway.body import BodyTooSlow


class Code(StrEnum):
    """Every code that an answer can carry in ``code``."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    ACCESS_UNAVAILABLE = "ACCESS_UNAVAILABLE"
    CONFLICT = "CONFLICT"
    UNSCORABLE_ROW = "UNSCORABLE_ROW"
    MODEL_ERROR = "MODEL_ERROR"
    TRANSFORMER_ERROR = "TRANSFORMER_ERROR"
    OVERLOADED = "OVERLOADED"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    JOBS_UNAVAILABLE = "JOBS_UNAVAILABLE"
    CONTROL_UNAVAILABLE = "CONTROL_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"


_ASKED_OF_A_PERSON = 'Basic realm="Raygate: any user name, an API key as the password"'


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the caller sees it.

    Attributes:
        status: HTTP status.
        code: Out of the closed list.
        error: What happened, in a few words that do not vary.
        details: This occurrence: names rows, fields and limits, never internals.
        retry_after: Seconds, for the Retry-After header; 0 leaves it out.
        allow: Methods that the path takes, for the Allow header; empty leaves it out.
        in_browser: Whether a browser is to ask its user for a credential that is missing.
    """

    status: int
    code: Code
    error: str
    details: str
    retry_after: int = 0
    allow: tuple[str, ...] = ()
    in_browser: bool = False

    def document(self) -> dict[str, str]:
        """The body as an object."""
        return {"error": self.error, "details": self.details, "code": self.code.value}

    def body(self) -> bytes:
        """The body as JSON."""
        return orjson.dumps(self.document())

    def headers(self) -> dict[str, str]:
        """Headers besides content type and length."""
        headers = {"retry-after": str(self.retry_after)} if self.retry_after else {}
        if self.status == 401:
            headers["www-authenticate"] = _ASKED_OF_A_PERSON if self.in_browser else "Bearer"
        if self.status == 408:
            headers["connection"] = "close"  # what may still come is the rest of this body, not a request
        if self.allow:
            headers["allow"] = ", ".join(self.allow)
        return headers


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    code: Code
    error: str
    retry_after: int = 0


_TABLE: dict[type[errors.RaygateError], _Row] = {
    errors.MalformedRequest: _Row(400, Code.MALFORMED_REQUEST, "the request cannot be read"),
    errors.BodyTooLarge: _Row(413, Code.BODY_TOO_LARGE, "the request is too large"),
    BodyTooSlow: _Row(408, Code.BODY_TOO_SLOW, "the request did not arrive in time"),
    errors.InvalidRows: _Row(422, Code.VALIDATION_ERROR, "the request does not fit the model"),
    errors.UnknownEndpoint: _Row(404, Code.MODEL_NOT_FOUND, "no such model"),
    errors.UnknownVersion: _Row(404, Code.MODEL_NOT_FOUND, "no such version"),
    errors.Overloaded: _Row(503, Code.OVERLOADED, "too many requests wait", retry_after=1),
    errors.PoolUnavailable: _Row(503, Code.MODEL_UNAVAILABLE, "the model cannot answer now", retry_after=2),
    errors.WireMismatch: _Row(503, Code.MODEL_UNAVAILABLE, "the model cannot answer now", retry_after=2),
    errors.TransformerFailed: _Row(500, Code.TRANSFORMER_ERROR, "the endpoint's own code failed"),
    errors.DeadlineExceeded: _Row(504, Code.DEADLINE_EXCEEDED, "the model did not answer in time"),
    errors.FeedbackConflict: _Row(409, Code.CONFLICT, "the feedback contradicts itself"),
    errors.FeedbackNotTaken: _Row(503, Code.OVERLOADED, "feedback cannot be kept now", retry_after=5),
    errors.ControlUnavailable: _Row(503, Code.CONTROL_UNAVAILABLE, "models cannot be changed now", retry_after=5),
    batch_errors.InvalidBatchJob: _Row(422, Code.VALIDATION_ERROR, "the batch is not valid"),
    batch_errors.NothingToScore: _Row(422, Code.VALIDATION_ERROR, "there is nothing to score"),
    batch_errors.LocationNotAllowed: _Row(403, Code.FORBIDDEN, "not allowed"),
    batch_errors.UnknownBatchJob: _Row(404, Code.NOT_FOUND, "no such batch"),
    batch_errors.BatchKeyConflict: _Row(409, Code.CONFLICT, "the key was used for another batch"),
    batch_errors.JobsUnavailable: _Row(503, Code.JOBS_UNAVAILABLE, "jobs cannot be reached", retry_after=5),
    refusals.Unauthenticated: _Row(401, Code.UNAUTHENTICATED, "no valid credential"),
    refusals.Forbidden: _Row(403, Code.FORBIDDEN, "not allowed"),
    refusals.UnlistedRoute: _Row(404, Code.NOT_FOUND, "no such path"),
    refusals.RateLimited: _Row(429, Code.RATE_LIMITED, "too many requests"),
    refusals.QuotaExceeded: _Row(429, Code.QUOTA_EXCEEDED, "the quota is used up"),
    refusals.AccessUnavailable: _Row(503, Code.ACCESS_UNAVAILABLE, "nobody can be let in now", retry_after=5),
}


def problem(error: BaseException) -> Problem:
    """What the caller is told of an error; anything unforeseen becomes INTERNAL_ERROR without a word of it."""
    if isinstance(error, errors.RowFailed):
        return row_problem(error.reason)
    # By base class too: Ray wraps an error of another process in a class made of its own and the error's.
    row = next((_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE), None)
    if row is None:
        return Problem(500, Code.INTERNAL_ERROR, "internal error", "the gateway could not handle this request")
    if isinstance(error, refusals.UnlistedRoute) and error.methods:
        return replace(http_problem(405, str(error)), allow=error.methods)
    retry_after = math.ceil(getattr(error, "retry_after_seconds", row.retry_after))
    details = "it speaks another release's language" if isinstance(error, errors.WireMismatch) else str(error)
    in_browser = isinstance(error, refusals.Unauthenticated) and error.in_browser
    return Problem(row.status, row.code, row.error, details, retry_after, in_browser=in_browser)


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
