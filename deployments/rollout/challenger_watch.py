"""The registry's alias ``challenger`` starts rollouts: whoever moves it says what is to earn its traffic."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import Version
from deployments.rollout import control_database
from deployments.rollout.control_database import transaction
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import NoRollout, RolloutFrozen, RolloutRunning
from deployments.rollout.registry import Registry
from deployments.rollout.service import RolloutService

ACTOR = "registry alias challenger"
_AFTER = " after "
"""Between a version whose rollout is still to begin and the rollout that was the latest when the alias moved."""
_log = logging.getLogger("raygate.controller")


class ChallengerWatch:
    """Looks at the alias of every endpoint whose plan says ``startOn: challenger``.

    What the alias names at the first look was there before: only a move starts a rollout, and each starts one, if
    perhaps later: while another rollout runs, or a freeze of the plan holds, it waits. A version that was rolled
    back is not tried again until the alias is moved away and back. So a move is written down before it is
    followed, with the latest rollout of that moment: a controller that died in between finds whether it did.

    Args:
        file: The control database; remembers what was seen.
        registry: Has the alias.
        rollouts: Starts what is to be started.
        endpoints: What is wanted of every endpoint.
    """

    def __init__(
        self,
        file: Path,
        registry: Registry,
        rollouts: RolloutService,
        endpoints: Callable[[], Mapping[str, WantedEndpoint]],
    ) -> None:
        self._file, self._registry, self._rollouts, self._endpoints = file, registry, rollouts, endpoints
        control_database.create(file)

    def look(self) -> None:
        """Start what a move asks for.

        Raises:
            RegistryUnavailable: The registry does not answer.
        """
        for name, endpoint in self._endpoints().items():
            if endpoint.document.spec.rollout.start_on != "challenger":
                continue
            named = self._registry.challenger(endpoint.policy.model)
            seen = self._seen(name)
            if seen is None:
                self._remember(name, _text(named))
            elif seen != _text(named):
                self._follow(name, endpoint, named, seen)

    def _follow(self, name: str, endpoint: WantedEndpoint, named: Version | None, seen: str) -> None:
        version, is_known, before = seen.partition(_AFTER)
        if not is_known or version != _text(named):
            before = self._latest(name)
            self._remember(name, f"{_text(named)}{_AFTER}{before}")
        if self._is_begun(name, named, before) or self._start(name, endpoint, named):
            self._remember(name, _text(named))

    def _is_begun(self, name: str, named: Version | None, before: str) -> bool:
        """Whether somebody let the version begin since the alias was moved to it, or was at it then."""
        try:
            latest = self._rollouts.latest(name)
        except NoRollout:
            return False
        return latest.candidate == named and (latest.is_active or latest.name != before)

    def _latest(self, name: str) -> str:
        try:
            return self._rollouts.latest(name).name
        except NoRollout:
            return ""

    def _start(self, name: str, endpoint: WantedEndpoint, named: Version | None) -> bool:
        """False if it is to be tried again."""
        if named is None or named == endpoint.policy.stable:
            return True
        try:
            begun = self._rollouts.start(name, named, ACTOR)
        except (RolloutRunning, RolloutFrozen):
            return False
        except RaygateError as error:
            _log.warning("%s: the challenger %s starts no rollout: %s", name, named, error)
        else:
            _log.info("%s: the challenger %s starts %s", name, named, begun.name)
        return True

    def _seen(self, endpoint: str) -> str | None:
        with transaction(self._file) as database:
            row = database.execute("SELECT version FROM challengers WHERE endpoint = ?", (endpoint,)).fetchone()
        return None if row is None else str(row[0])

    def _remember(self, endpoint: str, seen: str) -> None:
        with transaction(self._file) as database:
            database.execute("INSERT OR REPLACE INTO challengers VALUES (?, ?)", (endpoint, seen))


def _text(named: Version | None) -> str:
    return "" if named is None else str(named)
