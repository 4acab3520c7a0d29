"""Retraining runs done by the process that begins them: a scheduled pod has nobody to hand them to."""

from __future__ import annotations

from collections.abc import Callable

from ray_apps.retraining.ports import JobState
from ray_apps.retraining.run import RetrainingRun


class OwnProcess:
    """See Jobs. Only one process at a time may look at the runs: what runs and is not done here is done by nobody.

    Args:
        perform: Does a run, by its name, and writes its result down.
    """

    def __init__(self, perform: Callable[[str], RetrainingRun]) -> None:
        self._perform = perform

    def submit(self, run: RetrainingRun) -> None:
        """See Jobs; returns once it is done.

        Raises:
            RaygateError: It failed; that is written down, too.
        """
        self._perform(run.name)

    def state(self, run: RetrainingRun) -> tuple[JobState, str]:
        """See Jobs."""
        return JobState.FAILED, "the process that did it has ended"
