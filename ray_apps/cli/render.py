"""``raygate render``: what would be given to a cluster, printed."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml

from ray_apps.cli.endpoints import EndpointFile
from ray_apps.settings import Settings


class Target(StrEnum):
    """What can be rendered."""

    KUBERAY = "kuberay"
    SERVE = "serve"


def render(
    file: EndpointFile,
    target: Annotated[
        Target, typer.Option(help="a complete RayService, or the Serve config alone")
    ] = Target.KUBERAY,
    base: Annotated[
        Path,
        typer.Option(
            help="manifests with the RayService, such as `kubectl kustomize kuberay/overlays/prod` prints",
            exists=True,
            dir_okay=False,
        ),
    ] = Path("kuberay/base/rayservice.yaml"),
    models: Annotated[
        str, typer.Option(help="where the cluster's pods see the file store of packages")
    ] = "/models",
    trusted_keys: Annotated[
        str,
        typer.Option(
            help="file:/path where the cluster's pods see the public keys that may have signed a package; "
            "empty asks for no signature"
        ),
    ] = "",
    environment: Annotated[str, typer.Option(help="label of every metric")] = "production",
    log_uri: Annotated[
        str, typer.Option(help="root of the prediction log, s3://bucket/prefix; empty writes none")
    ] = "",
) -> None:
    """Print what a cluster would run, made by the code that configures the laptop."""
    from deployments.rollout import rayservice
    from ray_apps import served_pools

    gateway = rayservice.CLUSTER.gateway.model_copy(update={"request_log": log_uri})
    platform = replace(rayservice.CLUSTER, environment=environment, gateway=gateway)
    config = served_pools.serve_config_of(file, Settings(), platform, models, trusted_keys or None)
    if target is Target.SERVE:
        typer.echo(yaml.safe_dump(config, sort_keys=False), nl=False)
        return
    manifests = list(yaml.safe_load_all(base.read_text(encoding="utf-8")))
    typer.echo(
        rayservice.to_yaml(rayservice.complete(rayservice.only_one(manifests, str(base)), config)), nl=False
    )
