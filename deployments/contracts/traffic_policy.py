"""What a gateway needs to know of an endpoint: the control plane's wish, carried by Serve's ``user_config``.

No secrets belong here: the Ray dashboard shows a deployment's ``user_config``.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

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


class Limits(Frozen):
    """What the gateway accepts and how long it waits.

    Attributes:
        max_body_bytes: Larger bodies are refused before they are read to the end.
        max_rows: Rows of one request.
        deadline_seconds: From the request's arrival to its answer.
        attempt_seconds: For one call to a pool, before another replica is asked.
        attempts: Calls to a pool at the most for the same rows.
        max_call_rows: Rows of different requests that leave in one call.
        calls_in_flight: Calls of one gateway to one pool at a time, for each replica of its upper bound; while all
            are under way, rows queue and leave together.
        max_waiting_rows: Rows that may queue for one version before more are refused.
    """

    max_body_bytes: int = Field(default=1_048_576, alias="maxBodyBytes", ge=1024, le=3_000_000)
    max_rows: int = Field(default=1000, alias="maxRows", ge=1)
    deadline_seconds: float = Field(default=10.0, alias="deadlineSeconds", gt=0)
    attempt_seconds: float = Field(default=3.0, alias="attemptSeconds", gt=0)
    attempts: int = Field(default=4, alias="attempts", ge=1)
    max_call_rows: int = Field(default=256, alias="maxCallRows", ge=1)
    calls_in_flight: int = Field(default=1, alias="callsInFlight", ge=1)
    max_waiting_rows: int = Field(default=10_000, alias="maxWaitingRows", ge=1)


class TrafficPolicy(Frozen):
    """How one endpoint's requests are divided among its versions.

    Attributes:
        endpoint: Name of the endpoint: the ``model_id`` of requests.
        model: Registered model behind it.
        policy_epoch: Rises with every change; written wherever a decision of this policy is recorded.
        stable: The version that must be able to answer for the endpoint to be ready.
        versions: Every version with a pool that the gateway is to know, stable included.
        replicas: The most replicas that a version's pool may have; one if it is not named.
        slots: Slot table: versions with numbers of consecutive slots, 10,000 in all.
        salt: Goes into the hash of a sticky unit; lives as long as a rollout or an experiment.
        sticky_by: Where the unit is found; without it every request draws.
        limits: Protection of gateway and pools.
    """

    endpoint: str
    model: str
    policy_epoch: int
    stable: Version
    versions: tuple[Version, ...]
    replicas: dict[Version, int] = {}
    slots: tuple[tuple[Version, int], ...]
    salt: str
    sticky_by: StickyBy | None = None
    limits: Limits = Limits()


class GatewayConfig(Frozen):
    """The whole ``user_config`` of the gateway."""

    endpoints: tuple[TrafficPolicy, ...] = ()
