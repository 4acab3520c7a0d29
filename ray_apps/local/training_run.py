"""Training before serving, as a process of its own on the stack's Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from deployments.contracts.errors import FieldProblem, InvalidDocument, RaygateError
from deployments.contracts.package import MANIFEST
from ray_apps.local.places import Places
from ray_apps.local.processes import start_child
from ray_apps.local.ray_environment import stack_environment
from ray_apps.settings import Settings


class TrainingFailed(RaygateError):
    """The training process ended with an error."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"training ended with exit code {self.exit_code}; what it said is above"


def training_command(config: Path) -> list[str]:
    """The command that trains what is missing of a config; exit code 0: every version is in the file store."""
    return [sys.executable, "-m", "ray_apps.train", "--config", str(config)]


def looks_trained(config: Path, models: Path) -> bool:
    """Whether the file store has every version that a training config names.

    Only a guess that costs no import: it decides whether the training process, which knows, may be asked while Ray
    is still starting.

    Raises:
        InvalidDocument: There is no such file, or it is not YAML.
    """
    document = _read(config)
    try:
        packages = [models / document["model"] / f"v{one['version']}" for one in document["versions"]]
    except (KeyError, TypeError):
        return False
    return all((package / MANIFEST).exists() for package in packages)


class Training:
    """One training process.

    Args:
        settings: Of the stack whose Ray it uses.
        config: The training config.
    """

    def __init__(self, settings: Settings, config: Path) -> None:
        self._log = Places(settings.state).log("training")
        self._command = training_command(config)
        self._environment = stack_environment(settings) | {"RAY_ADDRESS": f"127.0.0.1:{settings.ray_port}"}
        self._early: subprocess.Popen[bytes] | None = None

    def ask_early(self) -> None:
        """Start before Ray is up, silently: right when there is nothing to train."""
        self._early = start_child(self._command, self._environment, self._log)

    def has_nothing_to_do(self) -> bool:
        """Whether the early question found everything trained; waits for it."""
        return self._early is not None and self._early.wait() == 0

    def run(self) -> None:
        """Train with the output on our own, and wait.

        Raises:
            TrainingFailed: It ended with an error, which it has shown.
        """
        # A session of its own: Ctrl-C reaches only us, and we end the stack in order, this process with it.
        child = subprocess.Popen(
            self._command, env=self._environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            if child.wait() != 0:
                raise TrainingFailed(child.returncode)
        finally:
            if child.poll() is None:  # Ctrl-C: nobody waits for the result any more
                os.killpg(child.pid, signal.SIGTERM)


def _read(config: Path) -> Any:
    try:
        return yaml.safe_load(config.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InvalidDocument(str(config), (FieldProblem("(file)", str(error)),)) from error
