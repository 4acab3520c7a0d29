"""Where a process writes its log: to standard error, as JSON, or as text where a person sits in front of it."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from deployments.logs.json_lines import JsonLines

VARIABLE = "LOG_LEVEL"
DEFAULT = "INFO"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = "raygate"
"""The logger above all of ours. Libraries are heard from WARNING on, whatever the level."""
_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second call replaces it and nobody else's."""


def configure(process: str, level: str | None = None, stream: TextIO | None = None) -> None:
    """Write the log of this process; called once, where it begins.

    Args:
        process: What runs: ``gateway``, ``pool``, ``monitor``, ``controller``, or the name of a job.
        level: The least level that is written; None takes ``LOG_LEVEL`` of this process. One that is not known
            counts as INFO and is told: a wrong level must not keep a replica from answering.
        stream: None is standard error as the process got it: a Serve replica replaces ``sys.stderr`` by one that
            hands lines to Serve's own log, where throughput mode drops them.
    """
    asked = (level or os.environ.get(VARIABLE) or DEFAULT).upper()
    target = stream or sys.__stderr__ or sys.stderr
    handler = _Handler(target)
    handler.setFormatter(logging.Formatter(_TEXT) if target.isatty() else JsonLines(process))
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _Handler)]
    root.addHandler(handler)
    ours = logging.getLogger(OURS)
    ours.setLevel(asked if asked in LEVELS else DEFAULT)
    if asked not in LEVELS:
        ours.warning("%s is %r and counts as %s; known: %s", VARIABLE, asked, DEFAULT, ", ".join(LEVELS))
