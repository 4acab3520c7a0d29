"""The file of a package that lists every parameter set that was tried on the way to it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from deployments.runtime.package import ModelPackage

TRIALS = "search_trials.json"


@dataclass(frozen=True)
class Trial:
    """One parameter set that was tried.

    Attributes:
        parameters: Those that were looked for.
        metric_name: What was optimised.
        metric: The best that it reached; None if it failed.
        rounds: Boosting rounds with which it reached that; 0 where nobody counted.
        ended: Boosting rounds after which it was ended early or finished; 0 where nobody counted.
    """

    parameters: dict[str, Any]
    metric_name: str
    metric: float | None
    rounds: int = 0
    ended: int = 0


def write(trials: tuple[Trial, ...]) -> str:
    """Return the file's text."""
    return json.dumps([dataclasses.asdict(trial) for trial in trials], indent=2)


def read(package: ModelPackage) -> tuple[Trial, ...]:
    """Return the trials of a package; none if it was not searched for."""
    if TRIALS not in package.manifest.files:
        return ()
    return tuple(Trial(**trial) for trial in json.loads(package.read(TRIALS)))
