"""Where ``raygate rollout`` gives its commands: to the stack of this machine, or to a controller elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from deployments.access.audit import Action
from deployments.contracts.errors import RaygateError
from deployments.contracts.model_version import Version
from deployments.contracts.rollout_status import RolloutStatus
from deployments.rollout.commands import Command
from deployments.rollout.control_database import Decision
from ray_apps.cli import audit, person
from ray_apps.settings import Settings

if TYPE_CHECKING:
    from ray_apps.remote_controller import RemoteController


class NotThere(RaygateError):
    """A command speaks to the stack of this machine, and another controller is named."""

    def __init__(self, command: str, controller: str) -> None:
        super().__init__(command, controller)
        self.command, self.controller = command, controller

    def __str__(self) -> str:
        return (
            f"`raygate {self.command}` speaks to the stack of this machine alone, and RAYGATE_CONTROLLER is "
            f"{self.controller}: unset it, or use kubectl on the ModelEndpoints there"
        )


class RolloutControl(Protocol):
    """Rollouts of one controller. Every call may raise what the controller says no with."""

    def start(self, endpoint: str, version: Version | None) -> RolloutStatus:
        """Begin a rollout; without a version that of the only one beside stable."""
        ...

    def obey(self, endpoint: str, command: Command) -> RolloutStatus:
        """Give a rollout a command."""
        ...

    def latest(self, endpoint: str) -> RolloutStatus:
        """The latest rollout of an endpoint."""
        ...

    def history(self, endpoint: str) -> Sequence[Decision]:
        """Decisions on an endpoint, the oldest first."""
        ...

    def observed(self, endpoint: str) -> Mapping[str, float] | None:
        """Shares (0 to 1) that gateways have in force; None if nobody can tell."""
        ...


def of(settings: Settings) -> RolloutControl:
    """The controller that the settings name, by default that of this machine's stack."""
    remote = remote_of(settings)
    return LocalRollouts(settings) if remote is None else RemoteRollouts(remote)


def remote_of(settings: Settings) -> RemoteController | None:
    """The controller elsewhere that the settings name; it gets their key, never that of this machine's stack."""
    if not settings.controller:
        return None
    from ray_apps.remote_controller import RemoteController

    return RemoteController(settings.controller, settings.api_key)


def here(command: str) -> Settings:
    """The settings, for a command of this machine's stack alone.

    Raises:
        NotThere: They name a controller elsewhere.
    """
    settings = Settings()
    if settings.controller:
        raise NotThere(command, settings.controller)
    return settings


class LocalRollouts:
    """Rollouts of this machine's stack; what is done to them goes into its audit.

    Args:
        settings: Of the stack.
    """

    def __init__(self, settings: Settings) -> None:
        from ray_apps.admin_api import local_service

        self._settings, self._service = settings, local_service(settings)

    def start(self, endpoint: str, version: Version | None) -> RolloutStatus:
        """See RolloutControl."""
        from deployments.rollout.status import status_of

        with audit.recorded(self._settings, Action.ROLLOUT_STARTED, f"endpoint/{endpoint}"):
            return status_of(self._service.start(endpoint, version, person.at_this_machine()))

    def obey(self, endpoint: str, command: Command) -> RolloutStatus:
        """See RolloutControl."""
        from deployments.rollout.status import status_of
        from ray_apps.admin_api import ACTIONS

        with audit.recorded(self._settings, ACTIONS[command], f"endpoint/{endpoint}"):
            return status_of(self._service.obey(endpoint, command, person.at_this_machine()))

    def latest(self, endpoint: str) -> RolloutStatus:
        """See RolloutControl."""
        from deployments.rollout.status import status_of

        return status_of(self._service.latest(endpoint))

    def history(self, endpoint: str) -> Sequence[Decision]:
        """See RolloutControl."""
        return self._service.history(endpoint)

    def observed(self, endpoint: str) -> Mapping[str, float] | None:
        """See RolloutControl."""
        from ray_apps.local.status import read_weights

        return read_weights(self._settings, endpoint)


class RemoteRollouts:
    """Rollouts of a controller elsewhere, which audits what is done to them.

    Args:
        controller: Of a cluster.
    """

    def __init__(self, controller: RemoteController) -> None:
        self._controller = controller

    def start(self, endpoint: str, version: Version | None) -> RolloutStatus:
        """See RolloutControl."""
        return self._controller.start(endpoint, version)

    def obey(self, endpoint: str, command: Command) -> RolloutStatus:
        """See RolloutControl."""
        return self._controller.obey(endpoint, command)

    def latest(self, endpoint: str) -> RolloutStatus:
        """See RolloutControl."""
        return self._controller.latest(endpoint)

    def history(self, endpoint: str) -> Sequence[Decision]:
        """See RolloutControl."""
        told = self._controller.history(endpoint)
        return [Decision(made.at, endpoint, made.action, made.policy_epoch, made.detail) for made in told]

    def observed(self, endpoint: str) -> Mapping[str, float] | None:
        """See RolloutControl; the controller tells of what is decided, and whether it is in force."""
        return None
