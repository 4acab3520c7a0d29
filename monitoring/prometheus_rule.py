"""The alert rules for the Prometheus Operator; ``make manifests`` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parent / "alerts" / "rules.yaml"


def manifest() -> dict[str, Any]:
    """The rules of Prometheus' own file as a PrometheusRule."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    labels = {
        "app.kubernetes.io/name": "raygate",
        "app.kubernetes.io/component": "monitoring",
        "app.kubernetes.io/part-of": "raygate",
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "raygate", "labels": labels},
        "spec": {"groups": groups},
    }


if __name__ == "__main__":
    print("# Made by `make manifests` from monitoring/alerts/rules.yaml; not edited by hand.")
    print(yaml.safe_dump(manifest(), sort_keys=False, width=115), end="")
