"""Bounds on label values: each value is a time series, and a Prometheus server pays for every one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from deployments.contracts.distributions import PackageKey

OTHER = "other"
"""Label value of everything beyond a limit."""
JUDGED_VERSIONS = 50
"""Versions that have series of what was judged of them."""

Judged = TypeVar("Judged")


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """Distinct label values that are exposed; what comes later is added up as ``other``.

    Attributes:
        models: Models.
        versions: Versions of one model.
        outcomes: Outcomes, thereby error codes, over all versions.
        predictions: Returned labels of one model.
        endpoints: Endpoints of the traffic and policy gauges.
    """

    models: int = 50
    versions: int = 50
    outcomes: int = 40
    predictions: int = 50
    endpoints: int = 100


class AdmittedLabels:
    """Remembers which values have a series of their own.

    First come, first served: a value that has a series keeps it. A ranking by size would move values in and out
    of ``other``, and counters would go down.
    """

    def __init__(self) -> None:
        self._admitted: dict[tuple[str, ...], set[str]] = {}

    def admit(self, value: str, scope: tuple[str, ...], limit: int) -> str:
        """The label value to expose: the value itself, or ``other`` once its scope has ``limit`` others."""
        admitted = self._admitted.setdefault(scope, set())
        if value in admitted:
            return value
        if len(admitted) >= limit:
            return OTHER
        admitted.add(value)
        return value


def busiest(
    judged: Mapping[PackageKey, Judged], rows: Callable[[Judged], int], environment: str
) -> list[tuple[tuple[str, str, str], Judged]]:
    """Labels and judgement of the versions with the most rows; of a version's packages the one with the most."""
    chosen: dict[tuple[str, str, str], Judged] = {}
    for (model, version, _), found in sorted(judged.items(), key=lambda item: -rows(item[1])):
        if len(chosen) < JUDGED_VERSIONS:
            chosen.setdefault((model, version, environment), found)
    return sorted(chosen.items(), key=lambda item: item[0])
