"""Settings of every Raygate process, read from the environment once, at its entry point."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deployments.access.policy import Mode
from deployments.batch.policy import BatchPolicy
from deployments.contracts.environment import Environment
from deployments.contracts.secret_reference import SecretReference
from monitoring.config import MonitoringConfig


class CacheConfig(BaseModel):
    """The result cache: ``CACHE_CONFIG='{"enable": true, "ttl": 3600}'``.

    Attributes:
        enable: Whether endpoints that do not say so are cached.
        ttl: Seconds for which a result is good.
        entries: Rows that a cache in memory keeps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enable: bool = False
    ttl: float = Field(3600.0, gt=0)
    entries: int = Field(10_000, ge=1)


class Settings(BaseSettings):
    """Where things are and which ports they use. Frozen; passed down, never read again.

    The embedded defaults need no server: SQLite files and directories under ``state_directory``.
    """

    model_config = SettingsConfigDict(env_prefix="RAYGATE_", frozen=True, extra="ignore")

    state_directory: Path = Field(Path(".raygate"), description="Models, registry, state, logs of the local stack")
    environment: str = Field("local", description="Value of the `environment` label of every metric")
    host: str = Field("127.0.0.1", description="Address that the API listens on; 0.0.0.0 opens it to the network")
    http_port: int = Field(8000, description="API")
    dashboard_port: int = Field(8265, description="Ray dashboard and its REST API")
    ray_port: int = Field(6379, description="Ray's GCS")
    ray_client_port: int = Field(10001, description="Ray client server")
    metrics_port: int = Field(9090, validation_alias="METRICS_PORT", description="Prometheus text at /metrics")
    push_gateway: str = Field("", description="Base URL of a Prometheus push gateway; empty pushes nothing")
    haproxy_metrics_port: int = Field(9101, description="HAProxy's own metrics")
    haproxy_stats_port: int = Field(8404, description="HAProxy's statistics page")
    replica_port_base: int = Field(30000, description="First of the ports that gateway replicas listen on")
    gateway_replicas: int = Field(1, description="Replicas of the ingress; on two cores one coalesces best")
    mlflow_port: int = Field(5000, description="MLflow's web page")
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL", description="Least level that a process writes")
    event_share: float = Field(
        0.01, ge=0, le=1, description="Share of predictions that gateways write to their own log; 0 writes none"
    )
    model_path: Path | None = Field(
        None,
        validation_alias="MODEL_PATH",
        description="File store <MODEL_PATH>/<name>/v<version>; default models/",
    )
    trusted_keys: SecretReference | Literal[""] | None = Field(
        None,
        description="env:NAME or file:/path of the public keys of which one must have signed every package; empty"
        " asks for no signature; default: the stack's own keys, unless MODEL_PATH says where the packages are",
    )
    access: Mode = Field(
        Mode.KEYS, description="keys asks every caller for a credential; insecure-local asks nobody"
    )
    access_store: str | None = Field(
        None, description="URI of API keys and audit, or env:NAME, file:/path; default a SQLite file"
    )
    audit_store: str | None = Field(
        None,
        description="URI of a database that every decision is carried to, or env:NAME, file:/path; default the"
        " access store where that is set, else none",
    )
    access_policy: Path | None = Field(
        None, description="YAML file of an access policy (token issuers, limits); default: API keys alone"
    )
    api_key: str | None = Field(None, description="What this machine's commands send; default the local key")
    controller: str | None = Field(
        None, description="Admin API of another controller: `raygate rollout`, traffic and switch speak to it"
    )
    log_uri: str | None = Field(
        None, description="Root of the prediction log: directory or s3://bucket/prefix; empty writes none"
    )
    log_keys: str | None = Field(
        None, description="env:NAME or file:/path of the keys for personal data; default a file of the stack"
    )
    cache: str = Field("memory:", description="Result cache: memory:, or env:NAME, file:/path of a Redis URI")
    cache_config: CacheConfig = Field(
        CacheConfig(), validation_alias="CACHE_CONFIG", description="Cache of endpoints that do not say"
    )
    monitoring_config: MonitoringConfig = Field(
        MonitoringConfig(),
        validation_alias="MONITORING_CONFIG",
        description="Drift: limits, window, looks; alerts",
    )
    batch: BatchPolicy = Field(BatchPolicy(), description="Batch scoring: where callers may read and write")
    retraining_seconds: float = Field(30.0, gt=0, description="Pause between two looks at whether to retrain")
    tls_certificate: Path | None = Field(None, description="PEM chain; with it the API is served over TLS too")
    tls_key: Path | None = Field(None, description="PEM private key of the certificate")
    control_port: int = Field(8001, description="Admin API of the controller, on this machine only")
    environments: dict[str, Environment] = Field(
        default_factory=dict, description="Controllers of other environments by name, for `raygate promote --to`"
    )
    registry_secret: SecretReference | None = Field(
        None, description="env:NAME or file:/path of the secret of MLflow's webhooks; without one none is taken"
    )
    evidence_url: str | None = Field(
        None, description="Prometheus whose series judge rollouts; default: the stack's own monitor"
    )
    prometheus_url: str | None = Field(
        None, description="Prometheus that the queries of rollouts are put to; default the one that judges them"
    )
    pool_grace_seconds: float = Field(
        60.0, ge=0, description="For so long the pool of a version stays up that nobody is sent to any more"
    )
    https_host: str = Field("0.0.0.0", description="Address of the TLS listener")
    https_port: int = Field(8443, description="Port of the TLS listener")
    tracking_uri: str | None = Field(
        None, validation_alias="MLFLOW_TRACKING_URI", description="MLflow server; default a SQLite file"
    )

    @property
    def state(self) -> Path:
        """The state directory as an absolute path: processes on this machine start in other directories."""
        return self.state_directory.resolve()

    @property
    def models(self) -> Path:
        """Root of the file store of model packages."""
        return (self.model_path or self.state / "models").resolve()

    @property
    def signing_keys(self) -> Path:
        """Directory of the keys that sign packages here."""
        return self.state / "signing-keys"

    @property
    def signers(self) -> str | None:
        """Reference of the keys of which one must have signed a package; None asks for no signature.

        What is packaged here is signed here, so the stack's own store takes nothing else. A store that MODEL_PATH
        names may be somebody else's, and nobody has said yet whom to believe.
        """
        if self.trusted_keys is None and self.model_path is None:
            return f"file:{self.signing_keys / 'trusted'}"
        return self.trusted_keys or None

    @property
    def query_url(self) -> str | None:
        """Base URL of the Prometheus that queries of rollouts are put to; None if there is none."""
        return self.prometheus_url or self.evidence_url

    @property
    def key_store(self) -> str:
        """URI of API keys and audit."""
        return self.access_store or f"sqlite:///{self.state / 'access.db'}"

    @property
    def decision_store(self) -> str | None:
        """URI of the database that decisions are carried to, or a reference to it; None carries them nowhere."""
        return self.audit_store or self.access_store

    @property
    def key_file(self) -> Path:
        """The local key, readable by its owner alone."""
        return self.state / "local.key"

    @property
    def control_database(self) -> Path:
        """What is wanted, rollouts and every decision."""
        return self.state / "endpoints.db"

    @property
    def control_url(self) -> str:
        """Base URL of the controller's admin API."""
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def prediction_log(self) -> str:
        """Root of the prediction log, or empty."""
        return str(self.state / "prediction-log") if self.log_uri is None else self.log_uri

    @property
    def mlflow_uri(self) -> str:
        """Tracking and registry URI of MLflow."""
        return self.tracking_uri or f"sqlite:///{self.state / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Directory of MLflow's artifacts while the tracking store is the embedded one."""
        return self.state / "mlflow-artifacts"

    @property
    def api_url(self) -> str:
        """Base URL of the API as a client on this machine reaches it."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else self.host
        return f"http://{host}:{self.http_port}"

    @property
    def tls_url(self) -> str:
        """Base URL of the API over TLS."""
        host = "127.0.0.1" if self.https_host in ("0.0.0.0", "") else self.https_host
        return f"https://{host}:{self.https_port}"

    @property
    def dashboard_url(self) -> str:
        """Base URL of the Ray dashboard."""
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus text."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"


class PodSettings(Settings):
    """Of a job's pod, where a variable has a secret itself rather than a reference to it."""

    log_keys: str | None = Field(
        "env:RAYGATE_LOG_KEYS",
        validation_alias="RAYGATE_LOG_KEYS_FROM",
        description="env:NAME or file:/path of the keys for personal data; by default as for gateways",
    )
