"""Where a run puts things, and whom it tells what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployments.runtime.model_store import ModelStore
from deployments.runtime.signature import SigningKey
from training.registry import Registry

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where a run puts things.

    Attributes:
        store: Model packages.
        registry: MLflow.
        searches: Directory of searches under way: one that was cut off goes on from here.
        connect: Connects this process to a Ray; called before a search, and only then.
        signing_key: Signs every package; None leaves them unsigned.
    """

    store: ModelStore
    registry: Registry
    searches: Path
    connect: Callable[[], None]
    signing_key: SigningKey | None = None
