"""A complete RayService for those who run without the controller. Pure."""

from __future__ import annotations

from typing import Any

import yaml

from deployments.rollout.serve_config import Platform, ServeConfig

CLUSTER = Platform(
    environment="production",
    host="0.0.0.0",
    proxy_location="EveryNode",
    metrics_host="0.0.0.0",
    gateway_replicas=2,
    gateway_cpus=0.5,
)
"""A KubeRay cluster: HAProxy on every worker, two gateways so that one may die."""


def complete(base: dict[str, Any], config: ServeConfig) -> dict[str, Any]:
    """The RayService of the manifests with its Serve config filled in.

    KubeRay takes the config as text, and compares texts: the same config always gives the same text.
    """
    text = yaml.safe_dump(config, sort_keys=False, width=110)
    return {**base, "spec": {**base["spec"], "serveConfigV2": text}}


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
