"""A request on its way through the gateway: what came with it, and how far it got."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deployments.access.caller import Caller
from deployments.gateway.row_validation import ValidatedRows
from deployments.gateway.served_endpoint import ServedEndpoint, ServedVersion
from deployments.routing.assignment import Assignment

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Incoming:
    """What besides its document belongs to a request.

    Attributes:
        headers: Names in lower case, as ASGI has them.
        began: Time of the clock at which its body was there.
        size: Bytes of its body.
        caller: Who sent it.
        champion_only: Whether it takes no part in experiments: stable answers.
        span: Of the request, if it is traced.
        arrived: Unix time of its arrival.
    """

    headers: Headers
    began: float
    size: int
    caller: Caller
    champion_only: bool = False
    span: Span | None = None
    arrived: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """The value of a header by its lower-case name; of several, the first.

        Headers have no encoding. A unit must hash as it does in a batch, where it is text: UTF-8, if it can be.
        """
        wanted = name.encode("latin-1", "replace")
        found = next((value for key, value in self.headers if key == wanted), None)
        if found is None:
            return None
        try:
            return found.decode()
        except UnicodeDecodeError:
            return found.decode("latin-1")


@dataclass(slots=True)
class Progress:
    """How far a request came, so that a failure is counted and remembered where it belongs.

    Attributes:
        endpoint: Of the model that it names.
        assignment: The version that the policy chose.
        served: The version that was asked last.
        rows: As that version's schema has them.
        ids: Of the predictions to be made.
    """

    endpoint: ServedEndpoint | None = None
    assignment: Assignment | None = None
    served: ServedVersion | None = None
    rows: ValidatedRows | None = None
    ids: list[str] = field(default_factory=list)
