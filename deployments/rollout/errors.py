"""What can go wrong with a rollout, by name."""

from __future__ import annotations

from deployments.contracts.errors import RaygateError


class NoRollout(RaygateError):
    """An endpoint has no rollout of which the command could be meant."""

    def __init__(self, endpoint: str, wanted: str) -> None:
        super().__init__(endpoint, wanted)
        self.endpoint, self.wanted = endpoint, wanted

    def __str__(self) -> str:
        return f"{self.endpoint} has no rollout that is {self.wanted}; `raygate rollout start` begins one"


class RolloutRunning(RaygateError):
    """Something would move the weights of an endpoint that a rollout moves."""

    def __init__(self, endpoint: str, rollout: str, phase: str) -> None:
        super().__init__(endpoint, rollout, phase)
        self.endpoint, self.rollout, self.phase = endpoint, rollout, phase

    def __str__(self) -> str:
        return (
            f"the rollout {self.rollout} of {self.endpoint} is {self.phase} and owns its weights; "
            f"`raygate rollout abort {self.endpoint}` ends it"
        )


class RolloutNotPossible(RaygateError):
    """An endpoint is not in a state from which a rollout could start."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint, self.reason = endpoint, reason

    def __str__(self) -> str:
        return f"no rollout of {self.endpoint} can start: {self.reason}"


class RolloutFrozen(RolloutNotPossible):
    """A freeze of the plan holds; once it is over a rollout can start."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint, "a freeze of its plan holds; no candidate gets more traffic now")
        self.args = (endpoint,)


class ApprovalRequired(RaygateError):
    """A version of high risk would get requests that nobody approved."""

    def __init__(self, endpoint: str, version: str) -> None:
        super().__init__(endpoint, version)
        self.endpoint, self.version = endpoint, version

    def __str__(self) -> str:
        return (
            f"{self.version} is of high risk and must be approved before it gets requests of {self.endpoint}: "
            f"leave it out of the split and the rules, `raygate rollout start {self.endpoint} "
            f"--version {self.version}`, and have somebody else approve"
        )


class CommandRefused(RaygateError):
    """A rollout cannot do what is asked of it in the phase that it is in."""

    def __init__(self, rollout: str, command: str, reason: str) -> None:
        super().__init__(rollout, command, reason)
        self.rollout, self.command, self.reason = rollout, command, reason

    def __str__(self) -> str:
        return f"{self.rollout}: {self.command} is refused: {self.reason}"


class RolloutChanged(RaygateError):
    """Somebody else changed a rollout meanwhile; what was decided was decided on old facts."""

    def __init__(self, rollout: str) -> None:
        super().__init__(rollout)
        self.rollout = rollout

    def __str__(self) -> str:
        return f"{self.rollout} was changed meanwhile; look again and repeat the command"


class EndpointChanged(RaygateError):
    """Somebody else changed an endpoint while another document or split of it was on its way."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint} was changed by somebody else meanwhile; look again and repeat the command"


class OverrideNotPossible(RaygateError):
    """An endpoint's split cannot be overridden in this way now."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint, self.reason = endpoint, reason

    def __str__(self) -> str:
        return f"the split of {self.endpoint} stays: {self.reason}"


class NotLeading(RaygateError):
    """A controller decided after another one had taken over."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder

    def __str__(self) -> str:
        return f"the controller {self.holder} does not lead any more"


class CapacityComing(RaygateError):
    """A pool has fewer replicas than the coming weight needs; more have been asked for."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class EvidenceUnavailable(RaygateError):
    """Nobody can tell now what the versions of an endpoint did."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class QueryRefused(EvidenceUnavailable):
    """Prometheus does not take a query."""


class FiguresWentBack(EvidenceUnavailable):
    """A cumulative figure is smaller than it was: whoever counted began anew."""


class ReplayNotPossible(RaygateError):
    """What was logged of one version says nothing of another, or nothing is logged."""

    def __init__(self, candidate: str, stable: str, reason: str) -> None:
        super().__init__(candidate, stable, reason)
        self.candidate, self.stable, self.reason = candidate, stable, reason

    def __str__(self) -> str:
        return f"{self.candidate} cannot answer what {self.stable} was asked: {self.reason}"


class ReplayFailed(RaygateError):
    """Logged requests could not be replayed through a candidate."""

    def __init__(self, replay: str, reason: str) -> None:
        super().__init__(replay, reason)
        self.replay, self.reason = replay, reason

    def __str__(self) -> str:
        return f"the replay {self.replay} failed: {self.reason}"


class RegistryUnavailable(RaygateError):
    """An alias of the registry could not be moved or read."""

    def __init__(self, wanted: str, reason: str) -> None:
        super().__init__(wanted, reason)
        self.wanted, self.reason = wanted, reason

    def __str__(self) -> str:
        return f"the registry does not {self.wanted}: {self.reason}"


class ReloadFailed(RaygateError):
    """What an alias names cannot be served; what was served still is."""

    def __init__(self, reload_id: str, reason: str) -> None:
        super().__init__(reload_id, reason)
        self.reload_id, self.reason = reload_id, reason

    def __str__(self) -> str:
        return self.reason


class ReloadUnfinished(RaygateError):
    """A reload came no further for a reason that may pass; asked for again it goes on."""

    def __init__(self, reload_id: str, reason: str) -> None:
        super().__init__(reload_id, reason)
        self.reload_id, self.reason = reload_id, reason

    def __str__(self) -> str:
        return self.reason


class UnknownReload(RaygateError):
    """No reload has that id."""

    def __init__(self, reload_id: str) -> None:
        super().__init__(reload_id)
        self.reload_id = reload_id

    def __str__(self) -> str:
        return f"there was no reload {self.reload_id!r}"


class NoExperiment(RaygateError):
    """An endpoint never had an experiment."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.endpoint = endpoint

    def __str__(self) -> str:
        return f"{self.endpoint} has no experiment; `raygate experiment start` begins one"


class ExperimentNotPossible(RaygateError):
    """An endpoint is not in a state in which an experiment could start or stop."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(endpoint, reason)
        self.endpoint, self.reason = endpoint, reason

    def __str__(self) -> str:
        return f"not possible on {self.endpoint}: {self.reason}"
