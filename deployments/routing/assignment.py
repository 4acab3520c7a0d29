"""Which version answers a unit: one function for online, batch and replay."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from deployments.contracts.model_version import Version
from deployments.routing.slot_table import SLOTS, SlotTable


class AssignmentReason(StrEnum):
    """Why a request went to its version."""

    STICKY = "sticky"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The version chosen for a request.

    Attributes:
        version: The version.
        reason: How it was chosen.
        propensity: Probability with which a unit gets this version under the table, above 0 and up to 1.
    """

    version: Version
    reason: AssignmentReason
    propensity: float


def slot_of(unit: str, salt: str) -> int:
    """The slot of a unit, 0 to 9,999: BLAKE2b of salt and unit, uniform and the same on every machine."""
    digest = hashlib.blake2b(f"{salt}\x00{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SLOTS


def assign(table: SlotTable, unit: str | None, salt: str, draw: float) -> Assignment:
    """Choose a version.

    Args:
        table: The slot table in force.
        unit: Identity of the caller that must keep its version, or None.
        salt: Of the rollout or experiment.
        draw: Uniform random number in [0, 1); decides where there is no unit.
    """
    if unit is None:
        version = table.owners[int(draw * SLOTS)]
        return Assignment(version, AssignmentReason.RANDOM, table.shares[version])
    version = table.owners[slot_of(unit, salt)]
    return Assignment(version, AssignmentReason.STICKY, table.shares[version])
