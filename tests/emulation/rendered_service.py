"""The RayService as an administrator renders it, with the Secrets that it names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from substitutions import in_test_size

REPOSITORY = Path(__file__).parents[2]
OVERLAY = "kuberay/overlays/staging"
ENDPOINT = Path(__file__).with_name("endpoint.yaml")
Secrets = Mapping[str, Mapping[str, str]]
"""Values by the Secret's name and key."""


@dataclass(frozen=True)
class RenderedService:
    """A complete RayService.

    Attributes:
        document: The manifest, in a test's size.
        secrets: What its references lead to.
    """

    document: dict[str, Any]
    secrets: Secrets

    @classmethod
    def of_the_repository(cls, kubectl: str, models: Path, directory: Path, secrets: Secrets) -> RenderedService:
        """Render the overlay of staging and complete it for the endpoint, as docs/kubernetes.md tells."""
        base = directory / "rayservice.yaml"
        base.write_text(_output_of(kubectl, "kustomize", str(REPOSITORY / OVERLAY)))
        raygate = str(Path(sys.executable).with_name("raygate"))
        text = _output_of(
            raygate, "render", "-f", str(ENDPOINT), "--base", str(base), "--target", "kuberay",
            "--models", str(models), "--environment", "staging",
            MODEL_PATH=str(models), RAYGATE_STATE_DIRECTORY=str(directory),
        )  # fmt: skip
        return cls(in_test_size(yaml.safe_load(text)), secrets)

    @property
    def serve_config(self) -> dict[str, Any]:
        """What Serve is to run."""
        config: dict[str, Any] = yaml.safe_load(self.document["spec"]["serveConfigV2"])
        return config

    @property
    def cluster(self) -> dict[str, Any]:
        """The spec of the RayCluster that KubeRay makes of it."""
        found: dict[str, Any] = self.document["spec"]["rayClusterConfig"]
        return found

    @property
    def redis_password(self) -> str:
        """Of the store of the head's state."""
        return self._referred(self.cluster["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"]) or ""

    @property
    def ray_token(self) -> str:
        """What Ray's dashboard and its own processes are asked for."""
        return self.secrets[self.cluster["authOptions"]["secretName"]]["auth_token"]

    def worker_group(self) -> dict[str, Any]:
        """The one group of workers."""
        (group,) = self.cluster["workerGroupSpecs"]
        found: dict[str, Any] = group
        return found

    def environment_of(self, container: Mapping[str, Any]) -> dict[str, str]:
        """A container's variables with what they refer to; what is optional and not there is left out."""
        entries = container.get("env", ())
        values = {
            each["name"]: each["value"] if "value" in each else self._referred(each["valueFrom"])
            for each in entries
        }
        return {name: value for name, value in values.items() if value is not None}

    def _referred(self, source: Mapping[str, Any]) -> str | None:
        reference = source.get("secretKeyRef") or source["configMapKeyRef"]
        value = self.secrets.get(reference["name"], {}).get(reference["key"])
        assert value is not None or reference.get("optional"), f"no pod starts without {reference}"
        return value


def _output_of(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
