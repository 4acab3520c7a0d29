"""What a gateway needs to know of an endpoint: the control plane's wish, carried by Serve's ``user_config``.

No secrets belong here: the Ray dashboard shows a deployment's ``user_config``.
"""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from deployments.contracts.model_version import Version


class Frozen(BaseModel):
    """Base of the documents between control plane and gateway: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class StickyBy(Frozen):
    """What identifies a unit that must keep its version: a request header or a feature."""

    header: str | None = Field(
        default=None, min_length=1, description="name of a request header, such as x-user-id"
    )
    feature: str | None = Field(default=None, min_length=1, description="name of a feature of the first row")


FeatureValue = bool | int | float | str


class Condition(Frozen):
    """Which requests a rule takes: all that is named must hold.

    Attributes:
        header: Request headers and the values they must have.
        feature: Features of the first row and the values they must have.
        units: Sticky units (a cohort by name: user ids, for example), one of which must be the caller.
    """

    header: dict[str, str] = {}
    feature: dict[str, FeatureValue] = {}
    units: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _asks_for_something(self) -> Condition:
        if not (self.header or self.feature or self.units):
            raise ValueError("a rule's `when` names at least one of header, feature, units")
        return self


class Rule(Frozen):
    """Requests that go to one version whatever the split says."""

    name: str = Field(min_length=1, max_length=64)
    when: Condition
    version: Version


class Shadow(Frozen):
    """A version that gets a copy of requests; its answers are compared and nobody waits for them.

    Attributes:
        version: Not one that the split gives traffic to: its figures would mix.
        percent: Of the requests that are copied.
        max_rows_in_flight: Copies beyond it are dropped and counted, so a request with more rows never has one.
    """

    version: Version
    percent: float = Field(default=100.0, gt=0, le=100)
    max_rows_in_flight: int = Field(default=256, alias="maxRowsInFlight", ge=1)


class Bandit(Frozen):
    """Thompson sampling: feedback moves the weights of the split's versions.

    Attributes:
        floor: Least percentage of each arm, so that none is ever starved of evidence.
        success_at: A prediction whose first feedback has at least this value is a success, any other value makes a
            failure; feedback without a value says nothing.
    """

    floor: float = Field(default=5.0, gt=0, le=50)
    success_at: float = Field(default=0.5, alias="successAt")


ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$", max_length=200)]
"""``package.module:function``."""


class Expressions(Frozen):
    """A transformer without code: what it makes, field by field.

    Attributes:
        expressions: Of each field, such as ``debt / max(income, 1)`` or ``probability >= 0.65``.
    """

    expressions: dict[str, str] = {}

    def __str__(self) -> str:
        """The same text for the same fields, in whatever order they were stored."""
        return json.dumps(self.expressions, sort_keys=True)


def _way_of_writing(transformer: object) -> str:
    return "path" if isinstance(transformer, str) else "expressions"


Transformer = Annotated[
    Annotated[ImportPath, Tag("path")] | Annotated[Expressions, Tag("expressions")],
    Discriminator(_way_of_writing),
]
"""A function in the package, or expressions."""


class DocumentRoute(Frozen):
    """A path of an endpoint's own, whose requests and answers are its documents.

    Attributes:
        path: Such as ``/api/v1/score``; nothing that Raygate serves already.
        field: Where several endpoints share the path: the field of a document that chooses among them.
        value: The value of that field that is this endpoint's.
    """

    path: str = Field(pattern=r"^(/[a-z0-9][a-z0-9_.-]*)+$", max_length=200)
    field: str | None = Field(default=None, min_length=1)
    value: str | None = None

    @model_validator(mode="after")
    def _chooses_whole(self) -> DocumentRoute:
        if (self.field is None) != (self.value is None):
            raise ValueError("a route that is shared names field and value, one that is not neither")
        return self


class TransformerPair(Frozen):
    """What stands around an endpoint's model.

    Attributes:
        pre: As for ``Documents``.
        post: As for ``Documents``.
    """

    pre: Transformer = Expressions()
    post: Transformer

    @model_validator(mode="after")
    def _fits_together(self) -> TransformerPair:
        if isinstance(self.pre, Expressions) and isinstance(self.post, str):
            raise ValueError("post: a function takes the document of a function; pre must name one, too")
        if isinstance(self.post, Expressions) and not self.post.expressions:
            raise ValueError("post: an answer needs at least one field in `expressions`")
        return self


class Documents(TransformerPair):
    """Transformers around an endpoint's model, and where their documents are taken.

    Attributes:
        pre: Function in the package that makes features of a document, or expressions that make some of them; a
            feature without an expression is the document's field of its name.
        post: Function in the package that makes an answer of a prediction, or expressions that make its fields.
        route: Where documents are sent to.
    """

    route: DocumentRoute


class CachePolicy(Frozen):
    """Whether scores are remembered, by package and features.

    Attributes:
        enabled: None leaves it to the gateways' default, which is off.
    """

    enabled: bool | None = None


class RequestLog(Frozen):
    """What of an endpoint's requests goes into the prediction log.

    Attributes:
        share: Fraction of the predictions, chosen by their id; 0 writes none.
        retention_days: Days after which the log's daily job deletes predictions of the endpoint's model; None
            leaves it to the job.
    """

    share: float = Field(default=1.0, ge=0, le=1)
    retention_days: int | None = Field(default=None, alias="retentionDays", ge=1)


class Limits(Frozen):
    """What the gateway accepts and how long it waits.

    Attributes:
        max_body_bytes: Larger bodies are refused before they are read to the end.
        max_rows: Rows of one request.
        deadline_seconds: From the end of the request's body to its answer.
        failover_share: Share of the deadline that a version has before stable is asked in its place.
        attempt_seconds: For one call to a pool at the most, before another replica is asked too; where calls are
            usually fast, that happens earlier.
        attempts: Calls to a pool at the most for the same rows.
        max_call_rows: Rows of different requests that leave in one call.
        max_call_seconds: A call is not made larger than the pool answers in this time, as fast as it was lately.
        calls_in_flight: Calls of one gateway to one pool at a time, for each replica of its upper bound; while all
            are under way, rows queue and leave together.
        max_waiting_rows: Rows that may queue for one version before more are refused.
        max_wait_seconds: Rows that would wait for a call for longer than this, as fast as the queue moved lately,
            are refused at once: an answer that nobody waits for any more costs as much as one that is used.
    """

    max_body_bytes: int = Field(default=1_048_576, alias="maxBodyBytes", ge=1024, le=3_000_000)
    max_rows: int = Field(default=1000, alias="maxRows", ge=1)
    deadline_seconds: float = Field(default=10.0, alias="deadlineSeconds", gt=0)
    failover_share: float = Field(default=0.5, alias="failoverShare", gt=0, lt=1)
    attempt_seconds: float = Field(default=3.0, alias="attemptSeconds", gt=0)
    attempts: int = Field(default=4, alias="attempts", ge=1)
    max_call_rows: int = Field(default=256, alias="maxCallRows", ge=1)
    max_call_seconds: float = Field(default=0.1, alias="maxCallSeconds", gt=0)
    calls_in_flight: int = Field(default=1, alias="callsInFlight", ge=1)
    max_waiting_rows: int = Field(default=10_000, alias="maxWaitingRows", ge=1)
    max_wait_seconds: float = Field(default=2.0, alias="maxWaitSeconds", gt=0)


class TrafficPolicy(Frozen):
    """How one endpoint's requests are divided among its versions.

    Attributes:
        endpoint: Name of the endpoint: the ``model_id`` of requests.
        model: Registered model behind it.
        policy_epoch: Rises with every change; written wherever a decision of this policy is recorded.
        stable: The version that must be able to answer for the endpoint to be ready.
        versions: Every version with a pool that the gateway is to know, stable included. No other is named.
        replicas: The most replicas that a version's pool may have; one if it is not named.
        sleepers: Versions whose pools the owner lets sleep while nobody asks; see ``may_sleep``.
        slots: Slot table: versions with numbers of consecutive slots, 10,000 in all.
        salt: Goes into the hash of a sticky unit; lives as long as a rollout or an experiment.
        sticky_by: Where the unit is found; without it every request draws.
        experiment: Identity of the experiment or rollout that the split belongs to, or empty; recorded.
        rules: Tried in order before the split; the first that matches decides.
        shadows: Versions that get copies.
        bandit: Moves the split by feedback; None leaves the slots as they are.
        cache: Of results.
        request_log: What is remembered of requests.
        limits: Protection of gateway and pools.
        documents: Transformers and their route; None where callers send features alone.
    """

    endpoint: str
    model: str
    policy_epoch: int
    stable: Version
    versions: tuple[Version, ...]
    replicas: dict[Version, int] = {}
    sleepers: tuple[Version, ...] = ()
    slots: tuple[tuple[Version, int], ...]
    salt: str
    sticky_by: StickyBy | None = None
    experiment: str = ""
    rules: tuple[Rule, ...] = ()
    shadows: tuple[Shadow, ...] = ()
    bandit: Bandit | None = None
    cache: CachePolicy = CachePolicy()
    request_log: RequestLog = RequestLog()
    limits: Limits = Limits()
    documents: Documents | None = None

    @model_validator(mode="after")
    def _names_its_own_versions(self) -> TrafficPolicy:
        named = [("stable", self.stable), *(("slots", version) for version, _ in self.slots)]
        named += [("rules", rule.version) for rule in self.rules]
        named += [("shadows", shadow.version) for shadow in self.shadows]
        for where, version in named:
            if version not in self.versions:
                known = ", ".join(map(str, self.versions))
                raise ValueError(f"{where}: unknown version {version}; known: {known}")
        return self

    def keeps_awake(self, version: Version) -> bool:
        """Whether a version must have a replica whoever asks: it is stable, has weight, or gets copies."""
        weighted = any(slots and owner == version for owner, slots in self.slots)
        return version == self.stable or weighted or any(version == shadow.version for shadow in self.shadows)

    def may_sleep(self, version: Version) -> bool:
        """Whether a version's pool may have no replica: only rules and pins lead there."""
        return version in self.sleepers and not self.keeps_awake(version)


class GatewayConfig(Frozen):
    """The whole ``user_config`` of the gateway.

    Attributes:
        endpoints: One policy each.
        gateways: How many gateways there are: each grants its share of a caller's limits.
    """

    endpoints: tuple[TrafficPolicy, ...] = ()
    gateways: int = Field(default=1, ge=1)
