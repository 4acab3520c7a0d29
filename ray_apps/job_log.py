"""How a job speaks: text with a clock to the person in front of it, lines of JSON to everything else."""

from __future__ import annotations

import logging
import sys
import time

from rich.console import Console
from rich.markup import escape

from deployments.contracts.errors import RaygateError
from deployments.logs import setup as logs
from deployments.logs.json_lines import event

_log = logging.getLogger("raygate.job")


class JobLog:
    """What one job says, on standard error.

    Args:
        job: Its name, such as ``training``; the ``process`` of its lines.
        level: The least level that is written (``LOG_LEVEL``).
    """

    def __init__(self, job: str, level: str) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._began = time.monotonic()
        logs.configure(job, level, sys.stderr)

    def tell(self, line: str) -> None:
        """Say how far it is."""
        seconds = time.monotonic() - self._began
        if self._console.is_terminal:
            self._console.print(f"[dim]{seconds:6.1f} s[/dim]  {escape(line)}", soft_wrap=True)
        else:
            _log.info("%s", line, extra=event("progress", seconds=round(seconds, 3)))

    def fail(self, error: RaygateError) -> None:
        """Say why it ends without a result."""
        if self._console.is_terminal:
            self._console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        else:
            _log.error("%s", error, extra=event("failed", error=type(error).__name__))
