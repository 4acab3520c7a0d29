"""What an analysis says of a candidate, and on what evidence."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from pydantic import Field

from deployments.contracts.traffic_policy import Frozen


class Outcome(StrEnum):
    """Four different things: nothing bad shown is not health, and not to know is not too little traffic."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class OnBreach(StrEnum):
    """What becomes of a candidate over a check's limit."""

    ROLLBACK = "rollback"
    PAUSE = "pause"


class Finding(Frozen):
    """What one check found.

    Attributes:
        check: Its name.
        outcome: What it says.
        message: The same in a sentence, with the figures that matter.
        evidence: Every figure that it was decided by, with its unit in the name.
        on_breach: What is to follow where the outcome is unhealthy.
        required: Whether its being inconclusive holds the rollout.
    """

    check: str
    outcome: Outcome
    message: str
    evidence: dict[str, float] = Field(default_factory=dict)
    on_breach: OnBreach = OnBreach.ROLLBACK
    required: bool = True


class Verdict(Frozen):
    """All findings on one candidate at one moment."""

    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings: unhealthy, then error, then inconclusive.

        A check that is not required holds nothing by being inconclusive or in error, and withdraws all the same.
        """
        counted = {
            finding.outcome
            for finding in self.findings
            if finding.required or finding.outcome in (Outcome.UNHEALTHY, Outcome.HEALTHY)
        }
        for outcome in (Outcome.UNHEALTHY, Outcome.ERROR, Outcome.INCONCLUSIVE):
            if outcome in counted:
                return outcome
        return Outcome.HEALTHY if counted else Outcome.INCONCLUSIVE

    @property
    def withdraws(self) -> bool:
        """Whether some limit is broken that asks for a rollback, not just for a person."""
        return any(
            finding.outcome is Outcome.UNHEALTHY and finding.on_breach is OnBreach.ROLLBACK
            for finding in self.findings
        )

    def accepting(self, checks: Collection[str]) -> Verdict:
        """The verdict of somebody who does not mind that some checks are over their limit."""
        return Verdict(
            findings=tuple(
                found.model_copy(update={"outcome": Outcome.HEALTHY, "message": f"{found.message} (approved)"})
                if found.outcome is Outcome.UNHEALTHY and found.check in checks
                else found
                for found in self.findings
            )
        )

    @property
    def breached(self) -> tuple[str, ...]:
        """Checks that are over their limit."""
        return tuple(found.check for found in self.findings if found.outcome is Outcome.UNHEALTHY)

    def reason(self) -> str:
        """What those checks say that decided the outcome."""
        outcome = self.outcome
        deciding = [found.message for found in self.findings if found.outcome is outcome]
        return "; ".join(deciding) or outcome.value
