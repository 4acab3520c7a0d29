"""What a call can end with instead of a result."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class ClientError(RaygateError):
    """Base of everything that a client raises."""


class NoAnswer(ClientError):
    """No server answered: it cannot be reached, or every connection broke."""

    def __init__(self, url: str, attempts: int, reason: str) -> None:
        super().__init__(url, attempts, reason)
        self.url, self.attempts, self.reason = url, attempts, reason

    def __str__(self) -> str:
        return f"{self.url} gave no answer in {self.attempts} attempts: {self.reason}"


class AnswerNotUnderstood(ClientError):
    """A server answered with something that is not of Raygate's API: another service, or another release."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"the answer of {self.url} is not understood: {self.reason}"


class ApiError(ClientError):
    """The API refused or failed; each kind is a subclass.

    Attributes:
        status: HTTP status.
        code: Of the API's closed list, such as ``VALIDATION_ERROR``; empty if something before the API answered.
        error: What happened.
        details: This occurrence of it.
        retry_after: Seconds after which the server wants to be asked again, or None.
    """

    def __init__(self, status: int, code: str, error: str, details: str, retry_after: float | None = None) -> None:
        super().__init__(status, code, error, details, retry_after)
        self.status, self.code, self.error, self.details = status, code, error, details
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.error}: {self.details} ({self.code or self.status})"


class RequestRefused(ApiError):
    """The request is wrong, and repeating it changes nothing; the details name what to mend."""


class NotAuthenticated(ApiError):
    """The API key or token is missing, wrong, expired or revoked."""


class NotPermitted(ApiError):
    """The caller's role does not allow this."""


class NotFound(ApiError):
    """No model, version, prediction or path of that name."""


class RateLimited(ApiError):
    """The caller's rate or quota is used up."""


class Unavailable(ApiError):
    """The server has no capacity or the model no replica now."""


class TimedOut(ApiError):
    """The model did not answer within the endpoint's deadline, or the request took too long to arrive."""


class ServerFailed(ApiError):
    """The model or the server failed; somebody has to look at it."""


# Every code of the API's closed list.
BY_CODE: dict[str, type[ApiError]] = {
    "VALIDATION_ERROR": RequestRefused,
    "MALFORMED_REQUEST": RequestRefused,
    "BODY_TOO_LARGE": RequestRefused,
    "BODY_TOO_SLOW": TimedOut,
    "UNSCORABLE_ROW": RequestRefused,
    "METHOD_NOT_ALLOWED": RequestRefused,
    "MODEL_NOT_FOUND": NotFound,
    "NOT_FOUND": NotFound,
    "CONFLICT": RequestRefused,
    "UNAUTHENTICATED": NotAuthenticated,
    "FORBIDDEN": NotPermitted,
    "RATE_LIMITED": RateLimited,
    "QUOTA_EXCEEDED": RateLimited,
    "ACCESS_UNAVAILABLE": Unavailable,
    "OVERLOADED": Unavailable,
    "MODEL_UNAVAILABLE": Unavailable,
    "JOBS_UNAVAILABLE": Unavailable,
    "CONTROL_UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": TimedOut,
    "MODEL_ERROR": ServerFailed,
    "TRANSFORMER_ERROR": ServerFailed,
    "INTERNAL_ERROR": ServerFailed,
}
_BY_STATUS: dict[int, type[ApiError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    408: TimedOut,
    429: RateLimited,
    503: Unavailable,
    504: TimedOut,
}


def kind_of(status: int, code: str) -> type[ApiError]:
    """The error for an answer: by its code, or by its status where a later release has a code of its own."""
    kind = BY_CODE.get(code) or _BY_STATUS.get(status)
    return kind or (ServerFailed if status >= 500 else RequestRefused)
