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
    """Limits of the population stability index.

    Attributes:
        warning: Index above which a feature is worth a look.
        critical: Index above which it calls for action.
        certainty: A window is judged only if, without shift, the index stays below ``warning`` with this
            probability.

    Raises:
        InvalidLimits: One is out of range.
    """

    warning: float = 0.1
    critical: float = 0.25
    certainty: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.warning < self.critical:
            raise InvalidLimits("warning", self.warning, f"above 0 and below critical ({self.critical:g})")
        if not 0 < self.certainty < 1:
            raise InvalidLimits("certainty", self.certainty, "between 0 and 1")

    def level(self, psi: float) -> Level:
        """What an index says.

        >>> DriftLimits().level(0.12)
        <Level.WARNING: 'warning'>
        """
        if psi > self.critical:
            return Level.CRITICAL
        return Level.WARNING if psi > self.warning else Level.STABLE
