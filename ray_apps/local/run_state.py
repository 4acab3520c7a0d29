"""What the stack wrote down about itself: which processes it has, since when, where it answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

# psutil derives a start time from the boot time, which moves a little when the clock is set.
_CLOCK_TOLERANCE_S = 2.0


class Phase(StrEnum):
    """How far a stack is."""

    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"


class RunningProcess(BaseModel):
    """A process, told apart from a later one with the same number.

    Attributes:
        pid: Process id.
        created: Unix time in seconds of its start.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> RunningProcess:
        """Describe a process that runs now."""
        return cls(pid=pid, created=psutil.Process(pid).create_time())

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE_S
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class StackRun(BaseModel):
    """One run of the stack.

    Attributes:
        phase: How far it is.
        started: Unix time in seconds.
        processes: Our own children by name: ``ray``, ``controller``, ``mlflow``, ``tls``.
        ports: Ports by purpose.
        api_url: Base URL of the API.
        dashboard_url: Base URL of the Ray dashboard.
        metrics_url: URL of the Prometheus text.
        insecure_local: Whether callers are not asked who they are, by a wish of this run.
        keeper: The command in the foreground that ends the stack when it is interrupted; None if detached.
    """

    model_config = ConfigDict(frozen=True)

    phase: Phase
    started: float
    processes: dict[str, RunningProcess]
    ports: dict[str, int]
    api_url: str
    dashboard_url: str
    metrics_url: str
    insecure_local: bool = False
    keeper: RunningProcess | None = None

    def write(self, file: Path) -> None:
        """Write atomically: a reader sees the run before or after, never half of it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.new")
        temporary.write_text(self.model_dump_json(indent=2))
        temporary.replace(file)

    def is_alive(self) -> bool:
        """Whether its Ray still runs."""
        ray = self.processes.get("ray")
        return ray is not None and ray.is_alive()

    def is_abandoned(self) -> bool:
        """Whether the command that kept it in the foreground was killed."""
        return self.keeper is not None and not self.keeper.is_alive()


def read_run(file: Path) -> StackRun | None:
    """The run that is written down; None if there is none or the file cannot be understood.

    A file of another release is no reason to fail: processes are found by their mark, not by this file.
    """
    try:
        return StackRun.model_validate_json(file.read_text())
    except (FileNotFoundError, ValidationError):
        return None
