"""What an experiment compares, and what its reading says."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from deployments.contracts.duration import Duration
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen


class ExperimentDesign(Frozen):
    """What is compared, by what, and how much is enough.

    Attributes:
        control: What is compared with.
        treatments: What is compared.
        metric: ``conversion``: share of units whose feedback has a value of ``success_at`` or more at least once.
            ``value``: sum of the values of a unit (revenue per user).
        success_at: Of a conversion.
        test: ``sequential`` may be looked at all the time; ``fixed`` is read once, at its planned end.
        confidence: Of all comparisons together.
        power: Probability of finding the effect at the planned size.
        baseline: Control's mean as it is expected.
        deviation: Standard deviation of one unit's value; a conversion has that of its share.
        effect: The least absolute difference that is worth finding.
        error_guardrail: By how much a treatment's share of failed requests may be over control's.
        duration: After which it ends without a winner.
        on_end: Who ends it. ``tell``: a person, by what its reading says. ``conclude``: the controller, as soon as
            the reading is final, with the weights of before. ``switch``: the same, but a winner gets all traffic.
    """

    control: Version
    treatments: tuple[Version, ...] = Field(min_length=1)
    metric: Literal["conversion", "value"] = "conversion"
    success_at: float = Field(default=0.5, alias="successAt")
    test: Literal["sequential", "fixed"] = "sequential"
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    baseline: float
    deviation: float | None = Field(default=None, gt=0)
    effect: float = Field(gt=0)
    error_guardrail: float = Field(default=0.01, alias="errorGuardrail", gt=0, lt=1)
    duration: Duration = timedelta(days=14)
    on_end: Literal["tell", "conclude", "switch"] = Field(default="tell", alias="onEnd")

    @model_validator(mode="after")
    def _makes_sense(self) -> ExperimentDesign:
        if len({self.control, *self.treatments}) <= len(self.treatments):
            raise ValueError("treatments: each must be another version, and none of them control")
        if self.metric == "value" and self.deviation is None:
            raise ValueError("deviation is required for the metric value")
        if self.metric == "conversion" and not (0 < self.baseline < 1 and self.baseline + self.effect < 1):
            raise ValueError("baseline and baseline + effect of a conversion must be between 0 and 1")
        return self


class ExperimentOutcome(StrEnum):
    """What a reading says of the whole."""

    RUNNING = "running"
    WINNER = "winner"
    CONTROL_WINS = "control wins"
    NO_WINNER = "no winner"
    MISMATCH = "sample ratio mismatch"
    GUARDRAIL = "guardrail broken"


class ArmComparison(Frozen):
    """One treatment beside control.

    Attributes:
        version: The treatment.
        difference: Of the means, treatment less control.
        lower: Least plausible difference.
        upper: Largest plausible difference.
        p_value: Of "no difference".
    """

    version: Version
    difference: float
    lower: float
    upper: float
    p_value: float


class ExperimentReading(Frozen):
    """One look at an experiment.

    Attributes:
        outcome: What it says.
        reason: The same in a sentence, with the figures that led to it.
        winner: The version that won, control included.
        units: By version number.
        planned_units: Of control, by the plan.
        ratio_p_value: Of the division of units; None before the first.
        comparisons: Empty where nothing may be read.
    """

    outcome: ExperimentOutcome
    reason: str
    winner: Version | None = None
    units: dict[str, int] = Field(default_factory=dict)
    planned_units: int
    ratio_p_value: float | None = None
    comparisons: tuple[ArmComparison, ...] = ()
