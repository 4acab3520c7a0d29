"""What can go wrong in retraining alone."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class NotWatched(RaygateError):
    """Nobody said how this endpoint is to be retrained."""

    def __init__(self, endpoint: str, watched: tuple[str, ...]) -> None:
        super().__init__(endpoint, watched)
        self.endpoint, self.watched = endpoint, watched

    def __str__(self) -> str:
        known = ", ".join(self.watched) or "none"
        return f"{self.endpoint} has no retraining plan (`raygate retrain apply -f FILE`); those with one: {known}"


class UnknownRun(RaygateError):
    """There is no such retraining run."""

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        return f"there is no retraining run {self.run}; `raygate retrain history ENDPOINT` lists them"


class RetrainingRefused(RaygateError):
    """What is asked of a retraining does not fit where it stands."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint, self.reason = endpoint, reason

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.reason}"


class ChampionReplaced(RaygateError):
    """The version that a challenger was judged against is not the stable one any more."""

    def __init__(self, run: str, champion: str, stable: str) -> None:
        super().__init__(run, champion, stable)
        self.run, self.champion, self.stable = run, champion, stable

    def __str__(self) -> str:
        return (
            f"{self.run} judged its challenger against {self.champion}, and {self.stable} is stable now: "
            "nobody knows whether it is better than that; `raygate retrain run` tells"
        )


class NotEnoughLabels(RaygateError):
    """Too few logged predictions have a label to train from and to judge by."""

    def __init__(self, labelled: int, wanted: int) -> None:
        super().__init__(labelled, wanted)
        self.labelled, self.wanted = labelled, wanted

    def __str__(self) -> str:
        return f"{self.labelled} logged predictions have a usable label; rows.minimum wants {self.wanted}"
