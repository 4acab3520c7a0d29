"""Paths that endpoints have of their own, and which endpoint a document is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.contracts.errors import FieldProblem, InvalidRows
from deployments.contracts.traffic_policy import TrafficPolicy


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """One path.

    Attributes:
        field: Which field of a document chooses among several endpoints; None if there is one.
        endpoints: Names of endpoints by that field's value; a lone endpoint by None.
    """

    field: str | None
    endpoints: dict[str | None, str]

    def endpoint_of(self, document: Mapping[str, Any]) -> str:
        """The endpoint that a document is for.

        Raises:
            InvalidRows: The field is missing, or its value is nobody's.
        """
        if self.field is None:
            return self.endpoints[None]
        value = document.get(self.field)
        found = self.endpoints.get(value) if isinstance(value, str) else None
        if found is None:
            known = ", ".join(sorted(map(str, self.endpoints)))
            raise InvalidRows((FieldProblem(self.field, f"must be one of {known}"),))
        return found


def document_paths(policies: Iterable[TrafficPolicy]) -> dict[str, DocumentPath]:
    """Every path by its text.

    Endpoint files that contradict each other are refused when they are applied; should two come nevertheless, the
    first has the path.
    """
    paths: dict[str, DocumentPath] = {}
    for policy in policies:
        if policy.documents is None:
            continue
        route = policy.documents.route
        path = paths.setdefault(route.path, DocumentPath(route.field, {}))
        if path.field == route.field:
            path.endpoints.setdefault(route.value, policy.endpoint)
    return paths
