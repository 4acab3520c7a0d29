"""Moves the registry's alias to what was promoted, after it is in force and apart from everything else.

A registry that is away, or hangs, delays nobody's traffic, judgement or repair: that the alias is to be moved is
written together with the fact that the promotion is in force, and stays written until it was moved. Naming a
version twice is no change, so whoever is killed between the move and its note makes it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from deployments.contracts.errors import RaygateError
from deployments.contracts.rollout_status import OwedAlias
from deployments.rollout.control_database import Decision
from deployments.rollout.controller import LEASE
from deployments.rollout.errors import RolloutChanged
from deployments.rollout.registry import Registry
from deployments.rollout.rollout_store import Change, RolloutStore
from deployments.rollout.state import Rollout

OWED, MOVED = "champion alias owed", "champion alias moved"
"""How the history names a move that could not be made, and the one that was made after all."""
RETRY_AFTER = timedelta(seconds=5)
"""Between two attempts for one endpoint."""
_ATTEMPTS = 5
_log = logging.getLogger("raygate.controller")


class OwedAliases:
    """Makes the moves that are owed; looks in a thread of its own, because a registry may take its time.

    Args:
        holder: The controller's name in the lease.
        store: Has what is owed.
        registry: Where the alias is.
        clock: Time in UTC.
    """

    def __init__(
        self, holder: str, store: RolloutStore, registry: Registry, clock: Callable[[], datetime]
    ) -> None:
        self._holder, self._store, self._registry, self._clock = holder, store, registry, clock
        self._not_before: dict[str, datetime] = {}

    def look(self) -> None:
        """Attempt what is due, if this controller leads; one that fails keeps no other from its turn.

        Raises:
            NotLeading: Another controller has taken over.
        """
        now = self._clock()
        owing = [name for name, rollout in self._store.rollouts().items() if rollout.state.owed_alias]
        self._not_before = {
            name: until for name, until in self._not_before.items() if name in owing and until > now
        }
        due = [name for name in owing if name not in self._not_before]
        if due and self._store.lead(self._holder, now, LEASE):
            for name in due:
                self._attempt(name)

    def _attempt(self, endpoint: str) -> None:
        rollout = self._store.rollouts().get(endpoint)  # anew: the moves before this one may have taken long
        owed = rollout.state.owed_alias if rollout else None
        if owed is None:
            return
        trouble = ""
        try:
            self._registry.name_champion(owed.champion)
        except Exception as error:
            trouble = str(error) or type(error).__name__
            if not isinstance(error, RaygateError):
                _log.exception("%s: the alias was not moved", endpoint)
        if trouble:
            self._not_before[endpoint] = self._clock() + RETRY_AFTER
        self._note(endpoint, owed, trouble)

    def _note(self, endpoint: str, owed: OwedAlias, trouble: str) -> None:
        """Write how it went, unless something else is owed by now; a write that loses is made again."""
        for _ in range(_ATTEMPTS):
            rollout = self._store.rollouts().get(endpoint)
            is_known = bool(trouble) and trouble == owed.trouble
            if is_known or rollout is None or rollout.state.owed_alias != owed:
                return
            with suppress(RolloutChanged):
                self._store.write(self._change(rollout, owed, trouble))
                return

    def _change(self, rollout: Rollout, owed: OwedAlias, trouble: str) -> Change:
        left = owed.model_copy(update={"trouble": trouble}) if trouble else None
        after = rollout.at(rollout.state.model_copy(update={"owed_alias": left}))
        if bool(trouble) is bool(owed.trouble):  # moved at once, or the same story in other words
            return Change(after, leader=self._holder)
        named = owed.champion
        action, reason = (OWED, f"champion is to name {named}: {trouble}") if trouble else (MOVED, f"to {named}")
        _log.warning("%s: %s: %s", rollout.endpoint, action, reason)
        detail: dict[str, object] = {
            "rollout": rollout.name,
            "model": owed.model,
            "version": str(owed.version),
            "reason": reason,
            "actor": "controller",
        }
        wanted = self._store.endpoints().get(rollout.endpoint)
        epoch = wanted.policy.policy_epoch if wanted else self._store.last_epoch()
        decision = Decision(self._clock(), rollout.endpoint, action, epoch, detail)
        return Change(after, decision, leader=self._holder)
