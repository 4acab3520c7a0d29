"""The alert rules with runbooks that can be clicked, for the Prometheus Operator or for Prometheus's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
import yaml

RULES = Path(__file__).parent / "alerts" / "rules.yaml"
REPOSITORY_URL = "https://git.example.com/raygate/blob/main/"
"""Where people read this repository's files in a browser: a placeholder, since every owner keeps their own."""


def groups(repository_url: str = REPOSITORY_URL) -> list[dict[str, Any]]:
    """The groups of the rules' file, each ``runbook_url`` an address instead of a path in the repository.

    Args:
        repository_url: What a path in the repository is appended to.
    """
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in (rule for group in found for rule in group["rules"] if "alert" in rule):
        rule["annotations"]["runbook_url"] = repository_url.rstrip("/") + "/" + rule["annotations"]["runbook_url"]
    return found


def manifest(repository_url: str = REPOSITORY_URL) -> dict[str, Any]:
    """The groups as a PrometheusRule."""
    labels = {
        "app.kubernetes.io/name": "raygate",
        "app.kubernetes.io/component": "monitoring",
        "app.kubernetes.io/part-of": "raygate",
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "raygate", "labels": labels},
        "spec": {"groups": groups(repository_url)},
    }


def main(repository_url: str = REPOSITORY_URL, plain: bool = False) -> None:
    """Print the rules: a PrometheusRule, or with --plain what Prometheus's ``rule_files`` take."""
    made = {"groups": groups(repository_url)} if plain else manifest(repository_url)
    print("# Made by monitoring.prometheus_rule from monitoring/alerts/rules.yaml; not edited by hand.")
    print(yaml.safe_dump(made, sort_keys=False, width=115), end="")


if __name__ == "__main__":
    typer.run(main)
