"""From which figures on drift is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from monitoring.errors import InvalidLimits


class Level(StrEnum):
    """What is said of a feature, or of a version's scores."""

    STABLE = "stable"
    WARNING = "warning"
    CRITICAL = "critical"
    NOT_ENOUGH_DATA = "not_enough_data"
    """The window is too small to tell; never the same as stable."""


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """Limits of the population stability index and of the tests.

    Attributes:
        warning: Index above which a feature is worth a look.
        critical: Index above which it calls for action.
        significance: Of the tests, after correction over the features: share of false discoveries.
        certainty: A window is judged only if, without shift, the index stays below ``warning`` with this
            probability.

    Raises:
        InvalidLimits: One is out of range.
    """

    warning: float = 0.1
    critical: float = 0.25
    significance: float = 0.05
    certainty: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.warning < self.critical:
            raise InvalidLimits("warning", self.warning, f"above 0 and below critical ({self.critical:g})")
        for name in ("significance", "certainty"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidLimits(name, getattr(self, name), "between 0 and 1")

    def level(self, psi: float) -> Level:
        """What an index says.

        >>> DriftLimits().level(0.12)
        <Level.WARNING: 'warning'>
        """
        if psi > self.critical:
            return Level.CRITICAL
        return Level.WARNING if psi > self.warning else Level.STABLE
