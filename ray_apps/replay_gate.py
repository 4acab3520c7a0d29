"""Replays as steps of a rollout: what stable had answered before it began, through its candidate."""

from __future__ import annotations

from deployments.contracts.rollout_plan import ReplayStep
from deployments.rollout.analysis.replay import Replayed
from deployments.rollout.state import Rollout
from ray_apps import replays
from ray_apps.replays import Replays
from ray_apps.settings import Settings

_CALLER = "controller"


class BatchReplays:
    """See ReplayGate. The batch is named for the rollout: a controller that is killed asks for the same one again.

    Args:
        settings: Where the log, its keys, the packages and Ray are.
    """

    def __init__(self, settings: Settings) -> None:
        self._replays, self._root = Replays(settings, _CALLER), str(settings.state / "replays")

    def look(self, rollout: Rollout, step: ReplayStep) -> Replayed:
        """See ReplayGate."""
        return self._replays.look(replays.wanted(rollout, step, self._root))
