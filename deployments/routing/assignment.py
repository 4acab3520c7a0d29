"""Which version answers a unit: one function for online, batch and replay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Rule, StickyBy, TrafficPolicy
from deployments.routing import rules
from deployments.routing.slot_table import SLOTS, SlotTable

Lookup = Callable[[str], str | None]
"""Value of a request header by lower-case name, or None."""


class AssignmentReason(StrEnum):
    """Why a request went to its version."""

    STICKY = "sticky"
    RANDOM = "random"
    RULE = "rule"
    PIN = "pin"
    CHAMPION = "champion"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The version chosen for a request.

    Attributes:
        version: The version.
        reason: How it was chosen.
        propensity: Probability with which a request like this one gets this version, above 0 and up to 1.
        rule: Name of the rule that decided, or empty.
        unit: The sticky unit, or None.
    """

    version: Version
    reason: AssignmentReason
    propensity: float
    rule: str = ""
    unit: str | None = None

    @property
    def by_split(self) -> bool:
        """Whether the slot table chose it, with the propensity that is told."""
        return self.reason is AssignmentReason.STICKY or self.reason is AssignmentReason.RANDOM


@dataclass(frozen=True, slots=True)
class Routes:
    """What of a policy decides where a request goes.

    Attributes:
        table: The slot table in force.
        salt: Goes into the hash of a unit.
        stable: The champion.
        sticky_by: Where a request names its unit.
        rules: Tried in order before the table.
    """

    table: SlotTable
    salt: str
    stable: Version
    sticky_by: StickyBy | None = None
    rules: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, policy: TrafficPolicy) -> Routes:
        """The routes of a policy."""
        return cls(SlotTable(policy.slots), policy.salt, policy.stable, policy.sticky_by, policy.rules)

    def assign(self, header: Lookup, row: Mapping[str, Any], draw: float) -> Assignment:
        """Choose a version: by the first rule that matches, else by the unit's slot, else by the draw.

        Args:
            header: The request's headers.
            row: Features of its first row, as they were sent: nothing is known of them yet.
            draw: Uniform random number in [0, 1); decides where there is neither rule nor unit.
        """
        unit = self.unit_of(header, row)
        for rule in self.rules:
            if rules.matches(rule.when, unit, header, row):
                return Assignment(rule.version, AssignmentReason.RULE, 1.0, rule.name, unit)
        if unit is None:
            version = self.table.owners[int(draw * SLOTS)]
            return Assignment(version, AssignmentReason.RANDOM, self.table.shares[version])
        version = self.table.owners[slot_of(unit, self.salt)]
        return Assignment(version, AssignmentReason.STICKY, self.table.shares[version], unit=unit)

    def champion(self, header: Lookup, row: Mapping[str, Any]) -> Assignment:
        """The stable version, for callers that take no part in experiments."""
        return Assignment(self.stable, AssignmentReason.CHAMPION, 1.0, unit=self.unit_of(header, row))

    def pinned(self, version: Version, header: Lookup, row: Mapping[str, Any]) -> Assignment:
        """The version that the caller asked for, who must be allowed to."""
        return Assignment(version, AssignmentReason.PIN, 1.0, unit=self.unit_of(header, row))

    def unit_of(self, header: Lookup, row: Mapping[str, Any]) -> str | None:
        """Who must keep a version: the value of the header, or of the feature in the first row.

        A whole number is one unit however it is written: 17 in one request, 17.0 in the next or in a column of
        floats.
        """
        sticky = self.sticky_by
        if sticky is None:
            return None
        if sticky.header is not None:
            return header(sticky.header.lower())
        found = row.get(sticky.feature or "")
        if isinstance(found, float) and found.is_integer():
            return str(int(found))
        # Anything else is no unit; the row is about to be refused for it.
        return str(found) if isinstance(found, str | int | float) else None


def slot_of(unit: str, salt: str) -> int:
    """The slot of a unit, 0 to 9,999: BLAKE2b of salt and unit, uniform and the same on every machine."""
    digest = hashlib.blake2b(f"{salt}\x00{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SLOTS
