"""Bounds on label values: each value is a time series, and a Prometheus server pays for every one."""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"
"""Label value of everything beyond a limit."""


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
