"""What a gateway is started with; changing any of it restarts the gateway, so policies are not among it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from deployments.access.policy import AccessPolicy
from deployments.batch.policy import BatchPolicy
from deployments.contracts.secret_reference import SecretReference


class GatewayArguments(BaseModel):
    """Arguments of the gateway's Serve application. No secrets: the Ray dashboard shows them.

    Attributes:
        monitor_application: Serve application of the monitor, or empty: then nothing is reported.
        access: Who may do what.
        request_log: Root of the prediction log: a directory, ``s3://bucket/prefix``, or empty for none.
        event_share: Share of the remembered requests that the process's own log shows, 0 to 1.
        personal_data_keys: Where the keys are that encrypt personal data in the log; without them it is left out.
        batch: Rules for batches; without them none is taken.
        control_url: Base URL of the controller, which reloads models; empty where none can be reached.
        cache: Result cache of the endpoints that want one: ``memory:``, or where the URI of a Redis is.
        cache_by_default: Whether endpoints that do not say so want one.
        cache_ttl_seconds: How long a result is good.
        cache_entries: Rows that a cache in memory keeps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    monitor_application: str = ""
    access: AccessPolicy
    request_log: str = ""
    event_share: float = Field(default=0.01, ge=0, le=1)
    personal_data_keys: SecretReference | None = None
    batch: BatchPolicy | None = None
    control_url: str = ""
    cache: str = "memory:"
    cache_by_default: bool = False
    cache_ttl_seconds: float = Field(default=3600.0, gt=0)
    cache_entries: int = Field(default=10_000, ge=1)
