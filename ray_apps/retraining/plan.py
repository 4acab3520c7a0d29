"""When and how an endpoint's model is trained anew: the retraining document."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field, model_validator

from deployments.contracts.duration import Duration
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen


class DriftTrigger(Frozen):
    """Drift that lasts: one window alone may be a holiday.

    Attributes:
        critical: So many of the latest windows must be critical.
        of: So many windows are looked at; those without enough rows to judge are none.
        features: A window is critical if so many features of the stable version are.
        every: Time from one window to the next; where several must be critical at least the length of the
            monitor's (``plan_check``), or one burst would be in all of them.
    """

    critical: int = Field(default=3, ge=1)
    of: int = Field(default=5, ge=1, le=100)
    features: int = Field(default=1, ge=1)
    every: Duration = timedelta(hours=1)

    @model_validator(mode="after")
    def _can_be_met(self) -> DriftTrigger:
        if self.critical > self.of:
            raise ValueError(f"critical {self.critical} is more than the {self.of} windows that are looked at")
        return self


class QualityTrigger(Frozen):
    """Quality on labels below the baseline of the package, and not by chance.

    Attributes:
        metric: As the monitor measures it, such as ``roc_auc`` or ``rmse``.
        drop: Share of the baseline that is lost before it counts.
    """

    metric: str
    drop: float = Field(default=0.05, gt=0, lt=1)


class Triggers(Frozen):
    """What starts a run; each by itself.

    Attributes:
        drift: Lasting drift.
        quality: Lost quality.
        every: Time since the latest run began, or since the plan was applied.
    """

    drift: DriftTrigger | None = None
    quality: QualityTrigger | None = None
    every: Duration | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Triggers:
        if not (self.drift or self.quality or self.every):
            raise ValueError("must name one of drift, quality, every")
        return self


class Budget(Frozen):
    """So many runs in so long a time, whatever is triggered."""

    runs: int = Field(default=3, ge=1)
    within: Duration = timedelta(days=30)


class Rows(Frozen):
    """Which logged predictions are used.

    Attributes:
        window: How far back.
        minimum: So many must have a label, or nothing is trained.
        judged: Share of them, the newest, that judge champion and challenger; neither is trained on these.
    """

    window: Duration = timedelta(days=30)
    minimum: int = Field(default=500, ge=20)
    judged: float = Field(default=0.3, gt=0, lt=1)


class Challenge(Frozen):
    """When the challenger has won.

    Attributes:
        metric: On the newest labelled rows.
        minimum_gain: The whole interval of 95 % of its gain over the champion must lie above this.
    """

    metric: str
    minimum_gain: float = Field(default=0.0, ge=0, alias="minimumGain")


class Winner(StrEnum):
    """What becomes of a challenger that has won."""

    CANARY = "canary"
    """Its rollout begins, by the plan of the endpoint's file."""
    APPROVAL = "approval"
    """It is registered and waits for `raygate retrain approve`."""


class RetrainingPlan(Frozen):
    """The retraining document.

    Attributes:
        endpoint: Whose model is trained anew.
        training: Training document of the original set, counted from where the command runs.
        recipe: Which of its versions is trained anew; left out: the last. Its number is chosen by what changed.
        triggers: What starts a run.
        cooldown: From the beginning of one run to that of the next.
        budget: Upper limit over a longer time.
        rows: Which logged predictions are used.
        challenge: When the challenger has won.
        winner: What becomes of it then.
    """

    endpoint: str
    training: Path
    recipe: Version | None = None
    triggers: Triggers
    cooldown: Duration = timedelta(days=1)
    budget: Budget = Budget()
    rows: Rows = Rows()
    challenge: Challenge
    winner: Winner = Winner.APPROVAL
