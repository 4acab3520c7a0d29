"""Hearing of a search's trials while Tune runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from training.search_journal import Journal, Reports
from training.search_report import BEST, ROUNDS, VALUE

Tell = Callable[[int, float], None]


@dataclass
class Listener:
    """Whom a search tells.

    Attributes:
        tell: Takes how many trials are done, and the best value so far.
        journal: Where finished trials are written.
        known: Trials that had finished before; nobody is told of them again.
        reports: What each trial has reported, by its id.
        failure: What went wrong here; the search ends.
    """

    tell: Tell
    journal: Journal
    known: int
    reports: dict[str, dict[int, float]] = field(default_factory=dict)
    failure: Exception | None = None

    def on_report(self, trial: str, rounds: int, value: float) -> None:
        """Remember what a trial has reached."""
        self.reports.setdefault(trial, {})[rounds] = value

    def on_end(self, trial: str, parameters: dict[str, Any], values: list[float], best: float) -> None:
        """Write a finished trial down, and tell of it."""
        if self.failure is not None:
            return
        reports: Reports = tuple(sorted(self.reports.pop(trial, {}).items()))
        try:
            if reports:
                self.journal.write(parameters, reports)
            if len(values) > self.known:
                self.tell(len(values), best)
        except Exception as failure:  # kept, because Tune would say that the trial failed
            self.failure = failure


_LISTENERS: dict[str, Listener] = {}
"""By the directory of a search that runs: Tune pickles its callbacks with its state, and this is no part of it."""


@contextmanager
def listening(directory: str, mode: str, listener: Listener) -> Iterator[tuple[Any, Any]]:
    """Give a callback and a stopper for Tune: a listener hears of trials, and the search ends when it fails.

    Raises:
        Exception: What the listener raised, after the search has ended.
    """
    _LISTENERS[directory] = listener
    try:
        yield _callback(directory, mode), _stopper(directory)
    finally:
        del _LISTENERS[directory]
    if listener.failure is not None:
        raise listener.failure


def _callback(directory: str, mode: str) -> Any:
    from ray import tune

    class Progress(tune.Callback):
        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            if VALUE in result and (told := _LISTENERS.get(directory)):
                told.on_report(trial.trial_id, int(result[ROUNDS]), float(result[VALUE]))

        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            done = {one for one in trials if one.status == "TERMINATED"} | {trial}
            values = [float(one.last_result[BEST]) for one in done if BEST in one.last_result]
            if values and (told := _LISTENERS.get(directory)):
                best = (max if mode == "max" else min)(values)
                told.on_end(trial.trial_id, dict(trial.config), values, best)

        def __reduce__(self) -> tuple[Any, ...]:
            return _callback, (directory, mode)

    return Progress()


def _stopper(directory: str) -> Any:
    from ray import tune

    class Failed(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            told = _LISTENERS.get(directory)
            return told is not None and told.failure is not None

        def __reduce__(self) -> tuple[Any, ...]:
            return _stopper, (directory,)

    return Failed()
