"""Feedback over HTTP."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from deployments.access.caller import Caller
from deployments.contracts.prediction import FeedbackRequest, FeedbackResponse, ProblemDocument
from deployments.gateway.asgi import CALLER
from deployments.gateway.feedback import FeedbackIntake
from deployments.gateway.scoring import Scoring

_FEEDBACK_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ProblemDocument, "description": "The body cannot be read."},
    409: {"model": ProblemDocument, "description": "The Idempotency-Key was used for other feedback."},
    422: {"model": ProblemDocument, "description": "The feedback is not valid."},
    503: {"model": ProblemDocument, "description": "There is no room for feedback now; send it again."},
}


def router(scoring: Scoring) -> APIRouter:
    """Takes feedback on what the endpoints predicted."""
    routes, intake = APIRouter(), FeedbackIntake(scoring.log)

    @routes.post("/api/v1/feedback", responses=_FEEDBACK_RESPONSES, tags=["predictions"])
    async def take_feedback(
        feedback: FeedbackRequest,
        request: Request,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
    ) -> FeedbackResponse:
        """What became of a prediction, now or days later; sent twice it counts once."""
        caller: Caller = request.scope[CALLER]
        taken = intake.take(feedback, idempotency_key, caller.name, time.time(), scoring.endpoints)
        return FeedbackResponse(
            status="duplicate" if taken.again else "recorded",
            prediction_id=feedback.prediction_id,
            feedback_id=taken.feedback_id,
        )

    return routes
