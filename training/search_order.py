"""The same proposals whichever worker is faster: a search that is seeded can be repeated."""

from __future__ import annotations

from typing import Any

from ray.tune.search import Searcher


class ResultsInOrder(Searcher):
    """Lets a searcher learn results in the order of its proposals, and each proposal know a fixed number of them.

    What is proposed for a trial follows from the results of all trials up to ``lag`` before it, and of no later
    one, though some may be there already. So nobody has to wait for the slowest of a batch: a worker stands idle
    only when one trial takes longer than ``lag`` of the others.

    Args:
        searcher: Proposes.
        lag: How many of the latest trials a proposal does not know; at least as many as run at once.
    """

    def __init__(self, searcher: Searcher, lag: int) -> None:
        super().__init__(metric=searcher.metric, mode=searcher.mode)
        self._searcher, self._lag = searcher, lag
        self._proposed: list[str] = []
        self._learnt = 0
        self._ended: dict[str, tuple[dict[str, Any] | None, bool]] = {}

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """See Searcher: the space is the searcher's."""
        return bool(self._searcher.set_search_properties(metric, mode, config, **spec))

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """See Searcher: None while a result is missing that the proposal is to know."""
        known = max(0, len(self._proposed) + 1 - self._lag)
        if any(trial not in self._ended for trial in self._proposed[self._learnt : known]):
            return None
        for trial in self._proposed[self._learnt : known]:
            result, failed = self._ended.pop(trial)
            self._searcher.on_trial_complete(trial, result, failed)
        self._learnt = max(self._learnt, known)
        proposal: dict[str, Any] | None = self._searcher.suggest(trial_id)
        if proposal is not None:
            self._proposed.append(trial_id)
        return proposal

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """See Searcher: kept until it is its turn."""
        self._ended[trial_id] = (result, error)

    def save(self, checkpoint_path: str) -> None:
        """See Searcher: Tune writes it; nobody reads it, as a search that was cut off proposes the same anew."""
        self._searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """See Searcher."""
        self._searcher.restore(checkpoint_path)
