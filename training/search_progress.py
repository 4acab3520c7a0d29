"""Hearing of a search's trials while Tune runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from training.search_journal import Journal, Reports
from training.search_tuner import ROUNDS

Tell = Callable[[int, float], None]


@dataclass
class Listener:
    """Whom a search tells.

    Attributes:
        tell: Takes how many trials are done, and the best value so far.
        journal: Where finished trials are written.
        known: Trials that had finished before; nobody is told of them again.
        reports: What each trial has reported, by its id.
    """

    tell: Tell
    journal: Journal
    known: int
    reports: dict[str, dict[int, float]] = field(default_factory=dict)

    def on_report(self, trial: str, rounds: int, value: float) -> None:
        """Remember what a trial has reached."""
        self.reports.setdefault(trial, {})[rounds] = value

    def on_end(self, trial: str, parameters: dict[str, Any], values: list[float], best: float) -> None:
        """Write a finished trial down, and tell of it."""
        reports: Reports = tuple(sorted(self.reports.pop(trial, {}).items()))
        if reports:
            self.journal.write(parameters, reports)
        if len(values) > self.known:
            self.tell(len(values), best)


_LISTENERS: dict[str, Listener] = {}
"""By the search's directory: Tune pickles its callbacks with its state, and this is no part of it."""


def callback(directory: str, metric: str, mode: str, listener: Listener | None = None) -> Any:
    """Return a callback of Tune's that tells a listener."""
    from ray import tune

    if listener is not None:
        _LISTENERS[directory] = listener

    class Progress(tune.Callback):
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            if metric in result and (told := _LISTENERS.get(directory)):
                told.on_report(trial.trial_id, int(result.get(ROUNDS, 0)), float(result[metric]))

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            done = {one for one in trials if one.status == "TERMINATED"} | {trial}
            values = [float(one.last_result[metric]) for one in done if metric in one.last_result]
            if values and (told := _LISTENERS.get(directory)):
                best = (max if mode == "max" else min)(values)
                told.on_end(trial.trial_id, dict(trial.config), values, best)

        def __reduce__(self) -> tuple[Any, ...]:
            return callback, (directory, metric, mode)

    return Progress()
