"""Where rollouts are kept: the port, and the double that tests use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import NotLeading, RolloutChanged
from deployments.rollout.state import Rollout


@dataclass(frozen=True, slots=True)
class Change:
    """What is decided, to be written whole or not at all.

    Attributes:
        rollout: As it is to be; its revision is the one that the decision was made on, 0 for one that begins.
        decision: For the history; None for a note that decides nothing (a verdict that holds).
        wanted: The endpoint with the weights that follow; None if they stay.
        leader: The controller that decides; None for a person, who needs not lead.
        made_from: Policy epoch of the endpoint that ``wanted`` was made from.
    """

    rollout: Rollout
    decision: Decision | None = None
    wanted: WantedEndpoint | None = None
    leader: str | None = None
    made_from: int = 0

    def fits(self, rollout: Rollout | None, wanted: WantedEndpoint | None) -> bool:
        """Whether what is stored is what the decision was made on.

        Args:
            rollout: The endpoint's latest.
            wanted: Of the endpoint.
        """
        if self.wanted is not None and (wanted is None or wanted.policy.policy_epoch != self.made_from):
            return False
        if rollout is None or rollout.name != self.rollout.name:
            return self.rollout.revision == 0
        return rollout.revision == self.rollout.revision


class RolloutStore(Protocol):
    """The latest rollout of every endpoint, beside what is wanted of the endpoints."""

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """What is wanted of every endpoint, by name."""
        ...

    def rollouts(self) -> dict[str, Rollout]:
        """The latest rollout by endpoint."""
        ...

    def last_epoch(self) -> int:
        """The newest policy epoch that was ever decided."""
        ...

    def write(self, change: Change) -> Rollout:
        """Write a change.

        Returns:
            The rollout with its new revision.

        Raises:
            RolloutChanged: Somebody else wrote since it was read, the endpoint's latest rollout is another one by
                now, or its policy is.
            NotLeading: The deciding controller does not lead any more.
        """
        ...

    def lead(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """Take or renew the lease; False while somebody else has it."""
        ...

    def history(self, endpoint: str) -> list[Decision]:
        """Decisions on an endpoint, the oldest first."""
        ...


@dataclass
class MemoryRolloutStore:
    """Rollouts in memory.

    Attributes:
        wanted: Endpoints by name.
        decisions: The history of all endpoints.
        before_write: Called before a change takes place; raises to play a crash.
        after_write: Called after it took place; raises to play a crash.
    """

    wanted: dict[str, WantedEndpoint] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    before_write: Callable[[Change], None] = lambda change: None
    after_write: Callable[[Change], None] = lambda change: None
    _rollouts: dict[str, Rollout] = field(default_factory=dict)
    _lease: tuple[str, datetime] | None = None

    def endpoints(self) -> dict[str, WantedEndpoint]:
        """See RolloutStore."""
        return dict(self.wanted)

    def rollouts(self) -> dict[str, Rollout]:
        """See RolloutStore."""
        return dict(self._rollouts)

    def last_epoch(self) -> int:
        """See RolloutStore."""
        return max((endpoint.policy.policy_epoch for endpoint in self.wanted.values()), default=0)

    def write(self, change: Change) -> Rollout:
        """See RolloutStore."""
        self.before_write(change)
        name = change.rollout.endpoint
        if not change.fits(self._rollouts.get(name), self.wanted.get(name)):
            raise RolloutChanged(change.rollout.name)
        if change.leader is not None and (self._lease is None or self._lease[0] != change.leader):
            raise NotLeading(change.leader)
        written = change.rollout.model_copy(update={"revision": change.rollout.revision + 1})
        self._rollouts[name] = written
        if change.wanted is not None:
            self.wanted[name] = change.wanted
        if change.decision is not None:
            self.decisions.append(change.decision)
        self.after_write(change)
        return written

    def lead(self, holder: str, now: datetime, lease: timedelta) -> bool:
        """See RolloutStore."""
        if self._lease is not None and self._lease[0] != holder and self._lease[1] > now:
            return False
        self._lease = (holder, now + lease)
        return True

    def history(self, endpoint: str) -> list[Decision]:
        """See RolloutStore."""
        return [decision for decision in self.decisions if decision.endpoint == endpoint]
