"""The Python client of Raygate's API; brings neither Ray nor a web framework.

::

    with Client("http://127.0.0.1:8000", api_key="rg_...") as raygate:
        answer = raygate.predict("credit-risk", {"Age": 30, "Income": 129})
        raygate.feedback(answer.prediction_id, label="good")
"""

from deployments.client.client import AsyncClient, Client
from deployments.client.errors import (
    AnswerNotUnderstood,
    ApiError,
    ClientError,
    NoAnswer,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TimedOut,
    Unavailable,
)
from deployments.client.retries import RetryPolicy
from deployments.contracts.prediction import FeedbackResponse, PredictResponse, PredictRowsResponse
from deployments.contracts.status import Health, Readiness, ServedModel

__all__ = [
    "AsyncClient",
    "Client",
    "RetryPolicy",
    "PredictResponse",
    "PredictRowsResponse",
    "FeedbackResponse",
    "Health",
    "Readiness",
    "ServedModel",
    "ClientError",
    "ApiError",
    "RequestRefused",
    "NotAuthenticated",
    "NotPermitted",
    "NotFound",
    "RateLimited",
    "Unavailable",
    "TimedOut",
    "ServerFailed",
    "NoAnswer",
    "AnswerNotUnderstood",
]
