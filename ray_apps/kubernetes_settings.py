"""Settings of the controller on Kubernetes: those of every Raygate process, and what is of its pod."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from deployments.rollout.serve_config import MONITOR_ROUTE
from ray_apps.settings import Settings


def _root(uri: str) -> str:
    """A place that folders can be added to."""
    if "?" in uri:
        raise ValueError("takes no query: AWS_ENDPOINT_URL and AWS_REGION say where the object store is")
    return uri.rstrip("/")


class KubernetesSettings(Settings):
    """Read once, when the controller starts; the Deployment sets them."""

    namespace: str = Field(description="Whose ModelEndpoints, RayService and Lease are meant")
    pod: str = Field(description="Name of this pod: who leads, and who reports Events")
    gateway_replicas: int = Field(2, ge=1, description="Replicas of the ingress; of two one may die")
    ray_service: str = Field("raygate", description="Name of the RayService that serves")
    replays: Annotated[str, AfterValidator(_root)] = Field(
        "", description="Directory or s3://bucket/prefix where replay steps of rollouts' plans leave comparisons"
    )
    kubeconfig: str | None = Field(None, description="File with the cluster's address; default the pod's account")
    ray_token: str | None = Field(
        None, validation_alias="RAY_AUTH_TOKEN", description="Ray's token; empty where Ray asks for none"
    )
    dashboard: str = Field(
        "http://{head}.{namespace}.svc:8265", description="Base URL of a head's dashboard, by its Service"
    )
    serving_url_format: str = Field(
        "http://{service}-serve-svc.{namespace}.svc:8000",
        validation_alias="RAYGATE_SERVING_URL",
        description="Base URL of the API inside of the cluster",
    )
    listener_seconds: float = Field(
        12.0,
        validation_alias="RAY_SERVE_HAPROXY_TIMEOUT_SERVER_S",
        gt=0,
        description="After which the RayService's HAProxy gives up on a gateway; its pods have the same",
    )
    control_host: str = Field("0.0.0.0", description="Address of the admin API, reached by a port-forward")

    def dashboard_of(self, head: str) -> str:
        """Base URL of a head's dashboard.

        Args:
            head: Name of its Service.
        """
        return self.dashboard.format(head=head, namespace=self.namespace)

    @property
    def serving_url(self) -> str:
        """Base URL of the API, as other pods reach it."""
        return self.serving_url_format.format(service=self.ray_service, namespace=self.namespace)

    @property
    def monitor(self) -> str:
        """URL of the monitor's Prometheus text; it asks for the API key."""
        return f"{self.serving_url}{MONITOR_ROUTE}/metrics"
