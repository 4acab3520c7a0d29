"""What can go wrong with the figures of monitoring, by name."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class EmptyDistribution(RaygateError):
    """There is nothing to compare: no rows, or no finite value. That is never "no drift"."""

    def __init__(self, which: str) -> None:
        super().__init__(which)
        self.which = which

    def __str__(self) -> str:
        return f"the {self.which} distribution is empty; a comparison needs at least one row on each side"


class DistributionMismatch(RaygateError):
    """Two distributions are not over the same cells."""

    def __init__(self, reference: int, current: int) -> None:
        super().__init__(reference, current)
        self.reference, self.current = reference, current

    def __str__(self) -> str:
        return (
            f"the reference has {self.reference} cells and the current distribution {self.current}; must be equal"
        )


class InvalidLimits(RaygateError):
    """A threshold is out of its range."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(field, value, expected)
        self.field, self.value, self.expected = field, value, expected

    def __str__(self) -> str:
        return f"{self.field} is {self.value!r}; must be {self.expected}"
