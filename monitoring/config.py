"""What a monitor may be told by whoever runs it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitoring.drift.limits import DriftLimits
from monitoring.sliding import WINDOW_SECONDS, Span

STEPS = 60
"""In which the window slides."""


class Thresholds(BaseModel):
    """From where on something is worth an alert.

    Attributes:
        psi_warning: Population stability index that is worth a look.
        psi_critical: The same that calls for action; above the warning.
        latency_ms: 95 % of a version's answers are to be faster. The monitor tells it, rules judge by it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    psi_warning: float = Field(0.1, gt=0)
    psi_critical: float = Field(0.25, gt=0)
    latency_ms: float = Field(500.0, gt=0)

    @model_validator(mode="after")
    def _warning_comes_first(self) -> Thresholds:
        if self.psi_warning >= self.psi_critical:
            raise ValueError(f"psi_warning must be below psi_critical ({self.psi_critical:g})")
        return self


class MonitoringConfig(BaseModel):
    """The monitor: ``MONITORING_CONFIG='{"alerts": true, "thresholds": {"psi_critical": 0.3}}'``.

    Attributes:
        alerts: Whether anybody is to be woken: if not, there are no ``raygate_alert_limit`` series and no
            reports of critical drift. Drift itself is judged and shown all the same.
        thresholds: From where on.
        window_seconds: Length of the sliding window of drift.
        look_seconds: Pause between two looks at drift.
        recall_seconds: After a start until the log is read for what was missed: rows come late into it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    alerts: bool = True
    thresholds: Thresholds = Thresholds()
    window_seconds: float = Field(WINDOW_SECONDS, ge=10)
    look_seconds: float = Field(15.0, gt=0)
    recall_seconds: float = Field(45.0, ge=0)

    def limits(self) -> DriftLimits:
        """Limits of drift."""
        return DriftLimits(self.thresholds.psi_warning, self.thresholds.psi_critical)

    def span(self) -> Span:
        """The sliding window."""
        return Span(self.window_seconds, self.window_seconds / STEPS)
