"""One predict request as it is remembered: in the prediction log, in shadow comparisons, by replays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import ModelMetadata
from deployments.contracts.prediction import Prediction
from deployments.contracts.wire import Floats


class Stage(StrEnum):
    """Whether a caller saw the answer."""

    LIVE = "live"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a request went where it went.

    Attributes:
        assigned_version: What the policy chose; experiments and evidence use this one.
        served_version: What answered: another one after a failover, none (empty) if nothing did.
        reason: ``sticky``, ``random``, ``rule``, ``pin``, ``bandit`` or ``champion``.
        rule: Name of the rule that matched, or empty.
        propensity: Probability with which the policy gives this unit the assigned version, above 0 and up to 1.
        experiment: Identity of the experiment or rollout in force, or empty.
        policy_epoch: Of the policy that decided.
        unit: The sticky unit (a user, a session), or None. Personal data: never written in clear.
        failover: Why stable answered in place of the assigned version (an error code), or empty.
    """

    assigned_version: str
    served_version: str
    reason: str
    propensity: float
    policy_epoch: int
    rule: str = ""
    experiment: str = ""
    unit: str | None = None
    failover: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """All of one request, rows together: the gateway hands it over whole, whoever writes it makes a line a row.

    Attributes:
        endpoint: The ``model_id``.
        model: The registered model behind it.
        stage: A shadow's record has the prediction ids of the live one that it mirrors.
        decision: Why it went where it went.
        caller: Name of the authenticated caller, or empty.
        began: Unix time in seconds at which the request arrived.
        latency_seconds: From arrival to answer.
        model_seconds: Model time of the pool call that carried it, other callers' rows included.
        attempts: Calls to a pool until the answer came.
        path: ``compiled``, ``native``, or empty where nothing answered.
        outcome: ``OK`` or an error code.
        prediction_ids: One a row, UUIDv7.
        schema: What the rows were validated with.
        metadata: Of the version that answered: classes, threshold, task.
        numbers: Numeric features, row after row, in the order of ``schema.numeric``; NaN is null.
        texts: Textual features, row after row, in the order of ``schema.textual``.
        scores: float64, shape (rows, classes or 1), or None where nothing answered.
        row_errors: Why a row has no score, by position.
    """

    endpoint: str
    model: str
    stage: Stage
    decision: Decision
    caller: str
    began: float
    latency_seconds: float
    model_seconds: float
    attempts: int
    path: str
    outcome: str
    prediction_ids: Sequence[str]
    schema: FeatureSchema
    metadata: ModelMetadata
    numbers: Sequence[float]
    texts: Sequence[str | None]
    scores: Floats | None
    row_errors: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeedbackRecord:
    """What became of a prediction.

    Attributes:
        prediction_id: UUIDv7 of the prediction that it judges.
        label: The true label, or the true value of a regression; None if only a business outcome is told.
        value: A business outcome (revenue, loss), or None.
        received: Unix time in seconds.
        feedback_id: The same feedback sent twice has the same id: the later one is dropped by readers.
        caller: Name of the authenticated caller, or empty.
        endpoint: The ``model_id``, where it is known; else empty.
        version: The version that predicted, where it is known; else empty.
    """

    prediction_id: str
    label: Prediction | None
    value: float | None
    received: float
    feedback_id: str
    caller: str = ""
    endpoint: str = ""
    version: str = ""
