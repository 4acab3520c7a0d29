"""The registry's aliases of versions: the port, and the double that tests use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from deployments.contracts.model_version import ModelVersion, Version


class Registry(Protocol):
    """Where models are registered."""

    def name_champion(self, version: ModelVersion) -> None:
        """Let the alias ``champion`` name a version; again is no change.

        Raises:
            RegistryUnavailable: The registry does not answer, or does not know the version.
        """
        ...

    def challenger(self, model: str) -> Version | None:
        """The version that the alias ``challenger`` names, if any.

        Raises:
            RegistryUnavailable: The registry does not answer.
        """
        ...

    def version_named(self, model: str, alias: str) -> Version | None:
        """The version of ours that an alias names, if any.

        Raises:
            RegistryUnavailable: The registry does not answer.
        """
        ...


@dataclass
class MemoryRegistry:
    """A registry that remembers every move of the alias ``champion``.

    Attributes:
        moves: Versions that it named, in order.
        challengers: What ``challenger`` names, by model.
        aliases: What other aliases name, by model and alias.
    """

    moves: list[ModelVersion] = field(default_factory=list)
    challengers: dict[str, Version] = field(default_factory=dict)
    aliases: dict[tuple[str, str], Version] = field(default_factory=dict)

    def challenger(self, model: str) -> Version | None:
        """See Registry."""
        return self.challengers.get(model)

    def name_champion(self, version: ModelVersion) -> None:
        """See Registry."""
        if not self.moves or self.moves[-1] != version:
            self.moves.append(version)

    def version_named(self, model: str, alias: str) -> Version | None:
        """See Registry."""
        return self.aliases.get((model, alias))
