"""Logged requests through a candidate before callers get its answers: the port, and the double that tests use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from deployments.contracts.rollout_plan import ReplayStep
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.state import Rollout


class ReplayGate(Protocol):
    """Whoever replays."""

    def look(self, rollout: Rollout, step: ReplayStep) -> Replayed:
        """How far the replay of a step is; begins it where it has not begun. Asked again and again.

        Raises:
            RaygateError: It failed, or nobody can tell.
        """
        ...


@dataclass
class MemoryReplays:
    """Replays whose outcome a test writes.

    Attributes:
        outcome: Of every replay.
        asked: Rollouts and steps that were looked at.
    """

    outcome: Replayed = field(default_factory=lambda: Replayed(is_done=False, told="0 rows so far"))
    asked: list[tuple[str, ReplayStep]] = field(default_factory=list)

    def look(self, rollout: Rollout, step: ReplayStep) -> Replayed:
        """See ReplayGate."""
        self.asked.append((rollout.name, step))
        return self.outcome
