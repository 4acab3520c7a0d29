"""The stream file: which topic is read, who predicts, where results go."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from deployments.contracts.endpoint import Metadata, Part
from deployments.contracts.secret_reference import SecretReference, given_or_resolved, is_reference

_OWN = {
    "bootstrap.servers": "spec.brokers",
    "group.id": "spec.group",
    "enable.auto.commit": "nothing: offsets are committed after results are out",
    "enable.idempotence": "nothing: without it results could change their order",
}
"""Options of the Kafka client that the stream itself decides, and what says them."""
_TOPIC = r"^[A-Za-z0-9._-]{1,249}$"


def _client_options(options: dict[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
    for name, value in options.items():
        if name in _OWN:
            raise ValueError(f"{name} is decided by {_OWN[name]}")
        if name.endswith((".password", ".secret")) and not is_reference(str(value)):
            raise ValueError(f"{name} must be a reference to a secret: env:NAME or file:/absolute/path")
    return options


def _plain_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("must be http(s)://host:port/path; schemaRegistryCredential refers to the secret")
    return url


class StreamSpec(Part):
    """What is wanted of a stream.

    Attributes:
        brokers: Where the Kafka client begins, ``host:port`` separated by commas.
        group: Consumer group; by default ``raygate-`` and the stream's name.
        input: Topic of the records to predict.
        results: Topic of the gateway's answers, each with its record's key.
        rejected: Topic of the records that cannot be predicted, unchanged, with reasons as headers.
        endpoint: Endpoint whose features the records are.
        path: Path of endpoints whose documents the records are, in place of one endpoint.
        key_header: Header that carries a record's key to the gateway, where endpoints are sticky by it.
        credential: Where the API key for the gateway is; by default that of this machine.
        workers: Processes that share the topic's partitions.
        max_in_flight: Records of one worker that are under way at a time; more are not read, but up to four times
            as many where they wait behind others of their key.
        format: How the values of records are written: JSON, or Avro with the number of its schema before it.
        schema_registry: URL of the registry of Avro's schemas.
        schema_registry_credential: Where ``user:password`` for it is.
        client_options: Further options of the Kafka client (librdkafka), secrets as references.
    """

    brokers: str = Field(min_length=1)
    group: str | None = Field(default=None, min_length=1, max_length=200)
    input: str = Field(pattern=_TOPIC)
    results: str = Field(pattern=_TOPIC)
    rejected: str = Field(pattern=_TOPIC)
    endpoint: str | None = Field(default=None, min_length=1)
    path: str | None = Field(default=None, pattern=r"^(/[a-z0-9][a-z0-9_.-]*)+$")
    key_header: str | None = Field(default=None, alias="keyHeader", pattern=r"^[a-z0-9][a-z0-9-]*$")
    credential: SecretReference | None = None
    workers: int = Field(default=1, ge=1, le=100)
    max_in_flight: int = Field(default=64, alias="maxInFlight", ge=1, le=10_000)
    format: Literal["json", "avro"] = "json"
    schema_registry: Annotated[str, AfterValidator(_plain_url)] | None = Field(
        default=None, alias="schemaRegistry"
    )
    schema_registry_credential: SecretReference | None = Field(default=None, alias="schemaRegistryCredential")
    client_options: Annotated[dict[str, str | int | float | bool], AfterValidator(_client_options)] = Field(
        default={}, alias="clientOptions"
    )

    @model_validator(mode="after")
    def _is_sound(self) -> StreamSpec:
        if (self.endpoint is None) == (self.path is None):
            raise ValueError("names an endpoint or a path, one of them")
        if len({self.input, self.results, self.rejected}) < 3:
            raise ValueError("input, results and rejected are three different topics")
        if (self.format == "avro") != (self.schema_registry is not None):
            raise ValueError("format avro needs a schemaRegistry, and no other format has one")
        if self.schema_registry_credential is not None and self.schema_registry is None:
            raise ValueError("schemaRegistryCredential needs a schemaRegistry")
        return self


class PredictionStream(Part):
    """The stream file."""

    api_version: Literal["raygate.io/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["PredictionStream"]
    metadata: Metadata
    spec: StreamSpec

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self.metadata.name

    @property
    def group(self) -> str:
        """Its consumer group."""
        return self.spec.group or f"raygate-{self.name}"

    def resolved_options(self) -> dict[str, str | int | float | bool]:
        """The further options of the Kafka client with the secrets that they refer to.

        Raises:
            SecretUnavailable: One is not there.
        """
        return {
            name: given_or_resolved(value) if isinstance(value, str) else value
            for name, value in self.spec.client_options.items()
        }
