"""How a new version earns its traffic: ``spec.rollout`` of the endpoint file."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from deployments.contracts.duration import Duration
from deployments.contracts.notification import Notification
from deployments.contracts.rollout_checks import DEFAULT_CHECKS, AnyCheck, QueryCheck
from deployments.contracts.traffic_policy import Frozen
from deployments.contracts.verdict import OnBreach


class WeightStep(Frozen):
    """Give the candidate a share of the traffic.

    Attributes:
        weight: Per cent.
        hold: For how long at least, from the moment at which every gateway follows.
    """

    weight: float = Field(ge=0.01, le=100)
    hold: Duration = timedelta(minutes=10)


class PauseStep(Frozen):
    """Wait for a person's approval.

    Attributes:
        pause: What is waited for.
        by: Whether whoever started the rollout may approve it as well.
    """

    pause: Literal["approval"]
    by: Literal["somebody-else", "anybody"] = "somebody-else"


class ReplayStep(Frozen):
    """Let the candidate answer logged requests before it answers callers (or more of them).

    Attributes:
        replay: How far back from the rollout's start, of what stable answered.
        limit_disagreement: Share of the requests that may get another label than stable's.
        limit_drop: By how much its accuracy may be below stable's, on requests whose label is known.
        min_rows: Requests before it says anything good.
        min_labels: Of the known labels before accuracy counts.
        on_breach: Whether a candidate over a limit is withdrawn, or held until a person decides.
    """

    replay: Duration
    limit_disagreement: float = Field(default=0.1, alias="limitDisagreement", gt=0, lt=1)
    limit_drop: float = Field(default=0.05, alias="limitDrop", gt=0, lt=1)
    min_rows: int = Field(default=500, alias="minRows", ge=1)
    min_labels: int = Field(default=200, alias="minLabels", ge=30)
    on_breach: OnBreach = Field(default=OnBreach.PAUSE, alias="onBreach")


Step = WeightStep | PauseStep | ReplayStep


class Analysis(Frozen):
    """When and by what a candidate is judged.

    Attributes:
        interval: Between two verdicts.
        min_requests: Of the candidate at a step, before a check that found nothing bad says healthy. One that did
            need not wait for them: it is valid at any size.
        confidence: Probability with which a sound candidate gets through one step without being withdrawn by
            chance, however often it is looked at.
        timeout: For how long a step may be inconclusive, since it was entered or resumed.
        on_timeout: What follows.
        error_limit: Verdicts in error, one after another, after which the candidate is withdrawn.
        checks: Each kind once, except latency quantiles and queries.
    """

    interval: Duration = timedelta(seconds=15)
    min_requests: int = Field(default=500, alias="minRequests", ge=1)
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    timeout: Duration = timedelta(hours=24)
    on_timeout: OnBreach = Field(default=OnBreach.PAUSE, alias="onTimeout")
    error_limit: int = Field(default=5, alias="errorLimit", ge=1)
    checks: tuple[AnyCheck, ...] = Field(default=DEFAULT_CHECKS, min_length=1)

    @field_validator("interval")
    @classmethod
    def _at_least_a_second(cls, interval: timedelta) -> timedelta:
        if interval < timedelta(seconds=1):
            raise ValueError("must be at least 1s")
        return interval

    @property
    def queries(self) -> tuple[QueryCheck, ...]:
        """The checks that Prometheus is asked for."""
        return tuple(check for check in self.checks if isinstance(check, QueryCheck))

    @field_validator("checks")
    @classmethod
    def _names_queries_apart(cls, checks: tuple[AnyCheck, ...]) -> tuple[AnyCheck, ...]:
        names = [check.name for check in checks if isinstance(check, QueryCheck)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two queries have the name {name}; each needs one of its own")
        return checks


class Day(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Freeze(Frozen):
    """A time in which no candidate gets more traffic; it is still judged, and withdrawn.

    Attributes:
        days: On which the time begins.
        begins: Time of the day.
        ends: Time of the day; not after ``begins`` means the next day.
        zone: IANA name of the time zone.
    """

    days: tuple[Day, ...] = Field(default=tuple(Day), min_length=1)
    begins: time = time(0)
    ends: time = time(0)
    zone: str = "UTC"

    @field_validator("begins", "ends", mode="before")
    @classmethod
    def _is_quoted(cls, value: object) -> object:
        """YAML reads 18:00 without quotes as the number 1080."""
        if isinstance(value, int | float):
            raise ValueError("must be a quoted time such as '18:00'")
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("must be the name of a time zone such as Europe/Berlin") from error
        return name

    def holds_at(self, now: datetime) -> bool:
        """Whether a moment is inside."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time()
        began_today = tuple(Day)[local.weekday()] in self.days
        began_yesterday = tuple(Day)[(local.weekday() - 1) % 7] in self.days
        if self.begins < self.ends:
            return began_today and self.begins <= clock < self.ends
        return (began_today and clock >= self.begins) or (began_yesterday and clock < self.ends)


class RolloutPlan(Frozen):
    """The way of a candidate from nothing to all traffic.

    Attributes:
        steps: In order; after the last the candidate is promoted.
        analysis: What it has to stand meanwhile.
        on_failure: Whether an unhealthy candidate is withdrawn, or held until a person decides.
        freeze: Times in which it gets no more.
        notify: Who is told of what is decided.
        start_on: Whether a rollout is started by command alone, or also where the registry's alias ``challenger``
            is moved to another version of the endpoint.
    """

    steps: tuple[Step, ...] = Field(
        default=(WeightStep(weight=5), WeightStep(weight=25), WeightStep(weight=50)), min_length=1
    )
    analysis: Analysis = Analysis()
    on_failure: OnBreach = Field(default=OnBreach.ROLLBACK, alias="onFailure")
    freeze: tuple[Freeze, ...] = ()
    notify: tuple[Notification, ...] = ()
    start_on: Literal["command", "challenger"] = Field(default="command", alias="startOn")

    @model_validator(mode="after")
    def _weights_rise(self) -> RolloutPlan:
        weights = [step.weight for step in self.steps if isinstance(step, WeightStep)]
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise ValueError(f"steps: weights must rise, not {', '.join(f'{weight:g}' for weight in weights)}")
        return self

    def is_frozen(self, now: datetime) -> bool:
        """Whether nobody gets more traffic at this moment."""
        return any(freeze.holds_at(now) for freeze in self.freeze)
