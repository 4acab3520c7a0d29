"""Errors in the protocol's form: one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from deployments.contracts.errors import FieldProblem, InvalidRows, RaygateError
from deployments.gateway.problems import problem, row_problem
from deployments.gateway.row_validation import PROBLEM_LIMIT


class ProtocolError(BaseModel):
    """The protocol's form of an error."""

    error: str


class ProtocolRoute(APIRoute):
    """Every error of ours leaves in the protocol's form."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler within a net for errors."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RaygateError as error:
                return _refusal(error)

        return answer


def unscored(failures: dict[int, str]) -> Response:
    """The answer to a request with rows that have no score: a tensor has no place for the error of a row.

    Args:
        failures: Why, by the row's position.
    """
    told = max((row_problem(reason) for reason in failures.values()), key=lambda found: found.status)
    rows = ", ".join(map(str, sorted(failures)[:PROBLEM_LIMIT]))
    return JSONResponse({"error": f"{told.error}: {told.details} (rows {rows})"}, told.status)


def _refusal(error: RaygateError) -> Response:
    if isinstance(error, InvalidRows):
        error = InvalidRows(tuple(map(_in_tensors, error.problems)))
    told = problem(error)
    return JSONResponse({"error": f"{told.error}: {told.details}"}, told.status, told.headers())


def _in_tensors(found: FieldProblem) -> FieldProblem:
    """``features[3].Age`` is element 3 of the tensor Age here."""
    place = re.fullmatch(r"features\[(\d+)\]\.(.*)", found.where, re.DOTALL)
    if place is None:
        return FieldProblem(found.where.replace("features", "inputs"), found.message)
    return FieldProblem(f"inputs.{place[2]}[{place[1]}]", found.message)
