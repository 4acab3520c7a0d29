"""Which replicas of a pool answer, as far as one gateway can tell by the replies that it gets."""

from __future__ import annotations

MEMORY_SECONDS = 10.0


class AnsweringReplicas:
    """When each replica answered last; the calls of all callers together tell more than those of one."""

    def __init__(self) -> None:
        self._answered_at: dict[str, float] = {}

    def heard(self, replica: str, now: float) -> None:
        """Note an answer; that of a replica without a name (of an older release) tells nothing."""
        if replica:
            self._answered_at[replica] = now

    def all_but_one_since(self, moment: float) -> bool:
        """Whether replicas have answered since a moment, and of those that did shortly before at most one has not.

        Args:
            moment: Time of the clock. Replicas that had been silent for ten seconds by then are taken for gone.
        """
        gone_before = moment - MEMORY_SECONDS
        self._answered_at = {name: at for name, at in self._answered_at.items() if at > gone_before}
        silent = sum(at <= moment for at in self._answered_at.values())
        return silent <= 1 and silent < len(self._answered_at)
