"""What people do with rollouts, whichever way they come: commands and the admin API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime

from deployments.contracts.errors import UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.rollout import commands, starting
from deployments.rollout.approval import RiskOf
from deployments.rollout.change import change_of
from deployments.rollout.commands import Command, Request
from deployments.rollout.control_database import Decision
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.rollout.errors import CommandRefused, NoRollout, RolloutChanged
from deployments.rollout.rollout_store import RolloutStore
from deployments.rollout.state import Phase, Rollout

_ATTEMPTS = 5


class RolloutService:
    """Rollouts as people see them: what they ask is written, the controller puts it in force in a second or two.

    Args:
        store: Where rollouts are.
        clock: Time in UTC.
        risk_of: Risk tiers; a candidate of high risk waits for an approval first.
        alone: Held while something is written that other commands could change at the same moment.
    """

    def __init__(
        self,
        store: RolloutStore,
        clock: Callable[[], datetime],
        risk_of: RiskOf,
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._store, self._clock, self._risk_of, self._alone = store, clock, risk_of, alone

    def endpoints(self) -> Mapping[str, WantedEndpoint]:
        """What is wanted of every endpoint, by name."""
        return self._store.endpoints()

    def rollouts(self) -> Mapping[str, Rollout]:
        """The latest rollout by endpoint; those that had none are not in it."""
        return self._store.rollouts()

    def start(self, endpoint: str, candidate: Version | None, actor: str) -> Rollout:
        """Begin a rollout by the plan of the endpoint's file.

        Raises:
            UnknownEndpoint: Nothing of that name was applied.
            RolloutChanged: Others change the endpoint all the time.
            RaygateError: See ``starting``.
        """
        with self._alone():
            for _ in range(_ATTEMPTS):
                with suppress(RolloutChanged):
                    return self._start(endpoint, candidate, actor)
        raise RolloutChanged(endpoint)

    def obey(self, endpoint: str, command: Command, actor: str) -> Rollout:
        """Tell the latest rollout something. Repeated where the controller decided at the same moment.

        Raises:
            NoRollout: There is none.
            UnknownEndpoint: The endpoint was deleted since.
            CommandRefused: It cannot do that now, or the actor may not ask for it.
            RolloutChanged: Others change it all the time.
        """
        for _ in range(_ATTEMPTS):
            rollout = self.latest(endpoint)
            # Nobody else moves the weights of a rollout that runs, so its end waits for no other command.
            with nullcontext() if rollout.is_active else self._alone():
                self._check_latest(rollout, command)
                now = self._clock()
                after = rollout.at(commands.obey(rollout, Request(command, actor, now)))
                with suppress(RolloutChanged):
                    return self._store.write(change_of(self._store, after, now, actor=actor))
        raise RolloutChanged(endpoint)

    def _check_latest(self, rollout: Rollout, command: Command) -> None:
        """What has ended may be taken back while nothing has come after it."""
        endpoints = self._store.endpoints()
        if rollout.endpoint not in endpoints:
            raise UnknownEndpoint(rollout.endpoint, tuple(endpoints))
        stable = endpoints[rollout.endpoint].policy.stable
        if rollout.state.phase is Phase.PROMOTED and stable != rollout.candidate:
            raise CommandRefused(rollout.name, command, f"{stable} has become stable since")

    def latest(self, endpoint: str) -> Rollout:
        """The latest rollout of an endpoint.

        Raises:
            NoRollout: There was none yet.
        """
        found = self._store.rollouts().get(endpoint)
        if found is None:
            raise NoRollout(endpoint, "known")
        return found

    def _start(self, endpoint: str, candidate: Version | None, actor: str) -> Rollout:
        endpoints = self._store.endpoints()
        if endpoint not in endpoints:
            raise UnknownEndpoint(endpoint, tuple(endpoints))
        now = self._clock()
        latest = self._store.rollouts().get(endpoint)
        wanted = endpoints[endpoint]
        chosen = starting.candidate_of(wanted, candidate)
        risk = self._risk_of(wanted.policy.model, chosen)
        rollout = starting.start(wanted, latest, chosen, risk, actor, now)
        return self._store.write(change_of(self._store, rollout, now, actor=actor))

    def history(self, endpoint: str) -> list[Decision]:
        """Every decision on an endpoint, the oldest first; empty where there was none."""
        return self._store.history(endpoint)
