"""What can be wrong with the transformers of a package."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class TransformerUnusable(RaygateError):
    """A package holds no such transformer, or it cannot be loaded, or its types do not say what it takes."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"transformer {self.path}: {self.reason}"
