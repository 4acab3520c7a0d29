"""Variants of the credit-risk example: with a shadow, without a prediction log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "credit-risk"
SHADOW = "1.2.0"
_SHADOW_TRAINING = {
    "version": SHADOW,
    "family": "lightgbm",
    "parameters": {"n_estimators": 100, "learning_rate": 0.05, "max_depth": 6},
}
"""Trees of the size that a search finds, without the search."""


def training(directory: Path) -> Path:
    """The example's training with one version more, for the shadow."""
    document = _read("training.yaml")
    document["versions"].append(_SHADOW_TRAINING)
    return _write(directory / "training.yaml", document)


def endpoint(directory: Path, shadow: bool = False, log_share: float = 1.0) -> Path:
    """The example's endpoint, 90/10 on two versions.

    Args:
        directory: Where the file goes.
        shadow: Whether every request is copied to a third version.
        log_share: Fraction of the predictions that go into the prediction log.
    """
    document = _read("endpoint.yaml")
    spec = document["spec"]
    if shadow:
        spec["versions"].append({"version": SHADOW, "role": "candidate"})
        spec["traffic"]["shadow"] = [{"version": SHADOW}]
    spec["requestLog"] = {"share": log_share}
    return _write(directory / f"endpoint-{'shadow' if shadow else 'plain'}-{log_share:g}.yaml", document)


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))
    return document


def _write(file: Path, document: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return file
