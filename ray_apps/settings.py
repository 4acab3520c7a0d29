"""Settings of every Raygate process, read from the environment once, at its entry point."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    haproxy_metrics_port: int = Field(9101, description="HAProxy's own metrics")
    haproxy_stats_port: int = Field(8404, description="HAProxy's statistics page")
    replica_port_base: int = Field(30000, description="First of the ports that gateway replicas listen on")
    gateway_replicas: int = Field(1, description="Replicas of the ingress; on two cores one coalesces best")
    mlflow_port: int = Field(5000, description="MLflow's web page")
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL")
    model_path: Path | None = Field(
        None,
        validation_alias="MODEL_PATH",
        description="File store <MODEL_PATH>/<name>/v<version>; default models/",
    )
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
    def dashboard_url(self) -> str:
        """Base URL of the Ray dashboard."""
        return f"http://127.0.0.1:{self.dashboard_port}"

    @property
    def metrics_url(self) -> str:
        """URL of the Prometheus text."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"
