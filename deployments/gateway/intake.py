"""How a request to predict comes in, by whatever protocol: let in, read, understood, answered, in this order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from deployments.access.caller import Caller
from deployments.contracts.errors import RaygateError
from deployments.gateway.answer import Answer
from deployments.gateway.body import BODY_SECONDS, Bodies, Receive, Scope
from deployments.gateway.incoming import Headers, Incoming
from deployments.gateway.request_document import RequestDocument
from deployments.gateway.scoring import Scoring

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Asked = TypeVar("Asked", bound=RequestDocument)


class Intake:
    """Brings requests to their answers, and counts those that are refused on the way.

    Args:
        scoring: Answers.
        body_seconds: In which a body must be there.
    """

    def __init__(self, scoring: Scoring, body_seconds: float = BODY_SECONDS) -> None:
        self._scoring, self._bodies = scoring, Bodies(body_seconds)

    async def answer(
        self,
        scope: Scope,
        receive: Receive,
        admit: Callable[[Headers], Caller],
        understand: Callable[[bytes], Asked],
        span: Span | None = None,
        champion_only: bool = False,
    ) -> tuple[Asked, Answer] | None:
        """What was asked, and the answer; None if the client left.

        The time of a request begins when its body is there: a caller that sends slowly spends nobody's deadline,
        and is no evidence against a version.

        Args:
            scope: Of the request.
            receive: Gives its body.
            admit: Says by the headers who is asking, and raises a RaygateError if that one may not.
            understand: Says what a body asks, and raises a RaygateError if it cannot be read.
            span: Of the request, if it is traced.
            champion_only: Whether it takes no part in experiments.

        Raises:
            RaygateError: Refused or failed; counted already.
        """
        scoring, headers = self._scoring, scope["headers"]
        began: float | None = None
        try:
            caller = admit(headers)
            body = await self._bodies.read(scope, receive, scoring.max_body_bytes)
            if body is None:
                return None
            began = scoring.clock()
            asked = understand(body)
        except RaygateError as error:
            scoring.refused(error, 0.0 if began is None else scoring.clock() - began)
            raise
        incoming = Incoming(headers, began, len(body), caller, champion_only, span)
        return asked, await scoring.answer(asked, incoming)
