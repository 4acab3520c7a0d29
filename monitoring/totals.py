"""Sums of what gateways counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployments.contracts.snapshot import GatewaySnapshot, VersionCounts

VersionTotals = dict[tuple[str, str], VersionCounts]


@dataclass(frozen=True, slots=True)
class Totals:
    """What several gateways counted together.

    Attributes:
        versions: By model and version.
        figures: Of the gateways as a whole, by name.
    """

    versions: VersionTotals = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, snapshot: GatewaySnapshot, *, sign: int = 1) -> None:
        """Add what one gateway counted, in place; ``sign=-1`` takes it away again."""
        for key, counts in snapshot.versions.items():
            self.versions.setdefault(key, VersionCounts()).add(counts, sign)
        for name, value in snapshot.figures.items():
            self.figures[name] = self.figures.get(name, 0) + sign * value
