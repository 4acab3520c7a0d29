"""The controller as a child of the local stack."""

from __future__ import annotations

import subprocess
import sys

from deployments.rollout.ray_environment import RETURNED_MEMORY
from ray_apps.local.places import Places
from ray_apps.local.processes import start_child
from ray_apps.local.ray_environment import stack_environment
from ray_apps.settings import Settings

NAME = "controller"


def start_controller(settings: Settings) -> subprocess.Popen[bytes]:
    """Start it and return at once; it looks at rollouts as soon as no command holds the stack's lock."""
    command = [sys.executable, "-m", "ray_apps.controller"]
    environment = {**stack_environment(settings), **RETURNED_MEMORY}
    return start_child(command, environment, Places(settings.state).log(NAME))
