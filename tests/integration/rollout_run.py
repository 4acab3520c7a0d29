"""Rollouts of the running stack's credit-risk endpoint, as a person starts and watches them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import EndpointStore
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.rollout.state import Rollout

ENDPOINT = "credit-risk"
STEPS = [{"weight": 20, "hold": "3s"}, {"weight": 50, "hold": "3s"}]
CHECKS = [
    {"check": "error-rate"},
    # Generous: a busy machine is no reason to withdraw a version. The slow one has a plan of its own.
    {"check": "latency", "limitSeconds": 5},
    {"check": "prediction-shift", "onBreach": "pause"},
]


class Rollouts:
    """Applies plans, starts candidates, waits for what becomes of them.

    Args:
        stack: The running stack.
        file: Where the endpoint file is written to.
        candidates: Versions beside those of the example.
    """

    def __init__(self, stack: Any, file: Path, candidates: tuple[str, ...]) -> None:
        self._stack, self._file, self._candidates = stack, file, candidates
        self._store = SqliteRolloutStore(stack.settings.control_database)

    def plan(self, **changes: Any) -> None:
        """All traffic to stable, and a plan with changes of its analysis or of what stands beside that."""
        document = yaml.safe_load((self._stack.directory / "endpoint.yaml").read_text())
        spec = document["spec"]
        spec["versions"] += [{"version": version, "role": "candidate"} for version in self._candidates]
        spec["traffic"]["split"] = {"1.0.0": 100}
        spec["rollout"] = {name: changes.pop(name) for name in ("steps", "notify", "startOn") if name in changes}
        spec["rollout"].setdefault("steps", STEPS)
        spec["rollout"]["analysis"] = {"interval": "1s", "minRequests": 100, "checks": CHECKS, **changes}
        self._file.write_text(yaml.safe_dump(document))
        self._stack.raygate("apply", "-f", str(self._file))

    def start(self, candidate: str) -> None:
        """Begin a candidate's rollout."""
        self._stack.raygate("rollout", "start", ENDPOINT, "--version", candidate)

    def latest(self) -> Rollout:
        """The latest rollout."""
        return self._store.rollouts()[ENDPOINT]

    def wait_for(self, condition: Callable[[Rollout], object], timeout_s: float = 180.0) -> Rollout:
        """The rollout once a condition is true of it."""
        deadline = time.monotonic() + timeout_s
        while not condition(found := self.latest()):
            assert time.monotonic() < deadline, found.state
            time.sleep(0.1)
        return found

    def in_force(self) -> Rollout:
        """The rollout once its weight is in force and counted."""
        return self.wait_for(lambda rollout: rollout.state.baseline is not None)

    def ended(self) -> Rollout:
        """The rollout once it owns nothing any more, and the registry is owed nothing."""
        return self.wait_for(lambda rollout: not rollout.is_active and rollout.owed_champion is None)

    def end(self) -> None:
        """Abort whatever is left."""
        if ENDPOINT in self._store.rollouts() and self.latest().is_active:
            self._stack.raygate("rollout", "abort", ENDPOINT)
            self.ended()

    def history(self) -> list[Decision]:
        """Every decision on the endpoint."""
        return EndpointStore(self._stack.settings.control_database).history(ENDPOINT)
