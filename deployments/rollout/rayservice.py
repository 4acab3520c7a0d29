"""A complete RayService for those who run without the controller. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from deployments.access.policy import AccessPolicy
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.gateway.arguments import GatewayArguments
from deployments.rollout.serve_config import MONITOR, Platform, ServeConfig

CLUSTER = Platform(
    environment="production",
    host="0.0.0.0",
    proxy_location="EveryNode",
    metrics_host="0.0.0.0",
    gateway_replicas=2,
    gateway_cpus=0.5,
    gateway=GatewayArguments(
        monitor_application=MONITOR,
        access=AccessPolicy(store="env:RAYGATE_ACCESS_STORE"),
        personal_data_keys="env:RAYGATE_LOG_KEYS",
    ),
)
"""A KubeRay cluster: HAProxy on every worker, two gateways so that one may die, secrets by environment."""


def only_one(manifests: Iterable[Any], source: str) -> dict[str, Any]:
    """The RayService among manifests.

    Raises:
        InvalidDocument: There is none, or more than one.
    """
    found = [one for one in manifests if isinstance(one, dict) and one.get("kind") == "RayService"]
    if len(found) != 1:
        problem = f"must hold one RayService, not {len(found) or 'none'}"
        raise InvalidDocument(source, (FieldProblem("kind", problem),))
    service: dict[str, Any] = found[0]
    return service


def complete(base: dict[str, Any], config: ServeConfig) -> dict[str, Any]:
    """The RayService of the manifests with its Serve config filled in."""
    return {**base, "spec": {**base["spec"], "serveConfigV2": config_text(config)}}


def config_text(config: ServeConfig) -> str:
    """A Serve config as KubeRay takes it: text, and it compares texts, so the same config gives the same one."""
    text: str = yaml.safe_dump(config, sort_keys=False, width=110)
    return text


def to_yaml(document: dict[str, Any]) -> str:
    """The manifest as YAML, texts of several lines as blocks that people can read."""
    dumped: str = yaml.dump(document, Dumper=_Blocks, sort_keys=False, width=110)
    return dumped


class _Blocks(yaml.SafeDumper):
    """Writes a text of several lines as a block, and repeats what occurs twice instead of linking it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Blocks.add_representer(str, _text)
