"""What a candidate is held to: the checks of ``spec.rollout.analysis``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from deployments.contracts.traffic_policy import Frozen
from deployments.contracts.verdict import OnBreach


class Check(Frozen):
    """Base of the checks.

    Attributes:
        required: Whether the rollout waits until it has enough data.
        on_breach: Whether a candidate over the limit is withdrawn, or held until a person decides.
    """

    required: bool = True
    on_breach: OnBreach = Field(default=OnBreach.ROLLBACK, alias="onBreach")


class ErrorRateCheck(Check):
    """Requests and rows that the candidate failed.

    Attributes:
        limit: Share of its requests, absolute.
        limit_over_stable: By how much its share may be over stable's; None asks for no comparison.
    """

    check: Literal["error-rate"]
    limit: float = Field(default=0.05, gt=0, lt=1)
    limit_over_stable: float | None = Field(default=None, alias="limitOverStable", gt=0, lt=1)


class LatencyCheck(Check):
    """A quantile of the candidate's latency.

    Attributes:
        quantile: Such as 0.99.
        limit_seconds: Absolute; rounded up to the next bound of the latency histogram.
        limit_times_stable: How many times stable's quantile it may be; None asks for no comparison.
    """

    check: Literal["latency"]
    quantile: float = Field(default=0.99, gt=0, lt=1)
    limit_seconds: float = Field(default=0.5, alias="limitSeconds", gt=0, le=10)
    limit_times_stable: float | None = Field(default=None, alias="limitTimesStable", gt=1)


class PredictionShiftCheck(Check):
    """How differently the candidate predicts from stable on the same traffic.

    Attributes:
        limit: Of the population stability index between the two.
    """

    check: Literal["prediction-shift"]
    limit: float = Field(default=0.3, gt=0)


class QualityCheck(Check):
    """Accuracy on labels.

    Attributes:
        limit_drop: By how much it may be below stable's.
        min_labels: Labels of each of the two before it says anything.
    """

    check: Literal["quality"]
    limit_drop: float = Field(default=0.05, alias="limitDrop", gt=0, lt=1)
    min_labels: int = Field(default=200, alias="minLabels", ge=30)


class BusinessValueCheck(Check):
    """Mean of the values that feedback brings.

    Attributes:
        limit_drop: By which share of stable's mean it may be below that.
        min_values: Values of each of the two before it says anything.
    """

    check: Literal["business-value"]
    limit_drop: float = Field(default=0.05, alias="limitDrop", gt=0, lt=1)
    min_values: int = Field(default=200, alias="minValues", ge=30)


class ShadowDisagreementCheck(Check):
    """Copies of requests on which the candidate, as a shadow, returns another label than the caller got.

    Attributes:
        limit: Share of the copies.
        min_rows: Copies before it says anything.
    """

    check: Literal["shadow-disagreement"]
    limit: float = Field(default=0.05, gt=0, lt=1)
    min_rows: int = Field(default=500, alias="minRows", ge=1)


PLACEHOLDERS = ("version", "stable", "model", "endpoint", "environment", "window")
"""What a query may leave open, as ``{{version}}``."""
_PLACEHOLDER = re.compile(r"{{\s*(.*?)\s*}}")


class Worse(StrEnum):
    """Which figures of a query are the bad ones."""

    HIGHER = "higher"
    LOWER = "lower"


class QueryCheck(Check):
    """A figure of the owner's own, asked of Prometheus.

    It is held against its limits as it is: nobody knows how far chance moves it.

    Attributes:
        name: Of the figure; another one for each of a plan's queries.
        query: PromQL that yields one sample. ``{{version}}`` stands for the version that is asked about,
            ``{{stable}}`` for stable's number, ``{{model}}``, ``{{endpoint}}`` and ``{{environment}}`` for
            themselves, ``{{window}}`` for the time since the weight is in force, such as 90s.
        limit: The most that the candidate's figure may be; the least, where lower is worse.
        limit_times_stable: How many times stable's figure it may be, to which the same query is put; None asks
            for no comparison.
        worse: Which figures are the bad ones.
    """

    check: Literal["query"]
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    query: str = Field(min_length=1, max_length=4096)
    limit: float | None = None
    limit_times_stable: float | None = Field(default=None, alias="limitTimesStable", gt=0)
    worse: Worse = Worse.HIGHER

    @field_validator("query")
    @classmethod
    def _leaves_open_what_is_known(cls, query: str) -> str:
        for name in _PLACEHOLDER.findall(query):
            if name not in PLACEHOLDERS:
                known = ", ".join(f"{{{{{each}}}}}" for each in PLACEHOLDERS)
                raise ValueError(f"there is no placeholder {{{{{name}}}}}; there are {known}")
        return query

    @model_validator(mode="after")
    def _has_a_limit(self) -> QueryCheck:
        if self.limit is None and self.limit_times_stable is None:
            raise ValueError(f"the query {self.name} needs limit, limitTimesStable or both")
        if self.limit_times_stable is not None and "version" not in _PLACEHOLDER.findall(self.query):
            raise ValueError(f"limitTimesStable compares versions; the query {self.name} has no {{{{version}}}}")
        return self

    def filled(self, values: Mapping[str, str]) -> str:
        """The query with nothing left open.

        Args:
            values: Of every one of ``PLACEHOLDERS``.
        """
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.query)


AnyCheck = Annotated[
    ErrorRateCheck
    | LatencyCheck
    | PredictionShiftCheck
    | QualityCheck
    | BusinessValueCheck
    | ShadowDisagreementCheck
    | QueryCheck,
    Field(discriminator="check"),
]

DEFAULT_CHECKS: tuple[AnyCheck, ...] = (
    ErrorRateCheck(check="error-rate"),
    LatencyCheck(check="latency"),
    PredictionShiftCheck(check="prediction-shift"),
    QualityCheck(check="quality", required=False),
)
"""What withdraws a candidate unless a plan says otherwise. Labels may come weeks later: nobody waits for them."""
