"""Which version owns which of 10,000 slots.

A unit (a user, a session) hashes to a slot and so to a version; a caller without a unit draws a slot. When the
weights change, only as many slots change hands as the change itself requires: every other unit keeps its version,
for any number of versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from deployments.contracts.model_version import Version

SLOTS = 10_000


@dataclass(frozen=True)
class SlotTable:
    """An assignment of every slot to a version.

    Attributes:
        runs: Versions with the number of consecutive slots they own; the lengths add up to ``SLOTS``. A version
            may own several runs.
    """

    runs: tuple[tuple[Version, int], ...]

    def __post_init__(self) -> None:
        owned = sum(length for _, length in self.runs)
        if owned != SLOTS or any(length <= 0 for _, length in self.runs):
            raise ValueError(f"runs must be positive and own {SLOTS} slots together; they own {owned}")

    @classmethod
    def of(cls, weights: Mapping[Version, float]) -> SlotTable:
        """A fresh table for weights that add up to 100; versions in ascending order."""
        counts = slot_counts(weights)
        return cls(tuple((version, counts[version]) for version in sorted(counts) if counts[version]))

    @cached_property
    def owners(self) -> tuple[Version, ...]:
        """The owner of each slot, by slot number."""
        return tuple(version for version, length in self.runs for _ in range(length))

    @cached_property
    def counts(self) -> dict[Version, int]:
        """Number of slots of every version that owns any."""
        counts: dict[Version, int] = {}
        for version, length in self.runs:
            counts[version] = counts.get(version, 0) + length
        return counts

    @cached_property
    def shares(self) -> dict[Version, float]:
        """Share of the slots (0 to 1) of every version that owns any: the propensity of its assignment."""
        return {version: count / SLOTS for version, count in self.counts.items()}

    def reweighted(self, weights: Mapping[Version, float]) -> SlotTable:
        """The table for new weights that moves the fewest slots.

        A version that loses share gives up its last slots; those that gain share take them, in ascending order.
        The number of slots that change hands is half the sum of all changes, the least possible.
        The table itself if there is none.
        """
        wanted = slot_counts(weights)
        excess = {
            version: self.counts.get(version, 0) - wanted.get(version, 0)
            for version in self.counts.keys() | wanted.keys()
        }
        if not any(excess.values()):
            return self
        takers = _repeat({version: -excess[version] for version in sorted(excess) if excess[version] < 0})
        owners = list(self.owners)
        for slot in reversed(range(SLOTS)):
            if excess[owners[slot]] > 0:
                excess[owners[slot]] -= 1
                owners[slot] = next(takers)
        return SlotTable(tuple((version, len(list(run))) for version, run in groupby(owners)))


def slot_counts(weights: Mapping[Version, float]) -> dict[Version, int]:
    """Slots of each version, by the largest remainder; they add up to ``SLOTS``.

    Args:
        weights: Percentages that add up to 100, none negative.

    Raises:
        ValueError: They do not.
    """
    if any(weight < 0 for weight in weights.values()) or abs(sum(weights.values()) - 100) > 1e-6:
        raise ValueError(f"weights must not be negative and must add up to 100, not {sum(weights.values()):g}")
    exact = {version: weight * SLOTS / 100 for version, weight in weights.items()}
    counts = {version: int(share + 1e-9) for version, share in exact.items()}
    by_remainder = sorted(exact, key=lambda version: (counts[version] - exact[version], version))
    for version in by_remainder[: SLOTS - sum(counts.values())]:
        counts[version] += 1
    return counts


def _repeat(counts: Mapping[Version, int]) -> Iterator[Version]:
    for version, count in counts.items():
        for _ in range(count):
            yield version
