"""The schema of the log: a record of Python's logging as one line of JSON.

Every line has ``timestamp`` (UTC, milliseconds), ``level``, ``event``, ``process``, ``pid``, ``logger`` and
``message``; ``request_id`` where it belongs to a request, ``exception`` where there is one, and the fields of its
event.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import orjson

from deployments.logs import request_id

PLAIN = "message"
"""The event of a line that is no event of its own."""
_EVENT, _FIELDS = "raygate_event", "raygate_fields"
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def event(name: str, /, **fields: object) -> dict[str, object]:
    """What makes a line an event: ``_log.info("text", extra=event("prediction", latency_ms=3.2))``.

    Args:
        name: What happened, in lower case.
        fields: What is known of it; no personal data and no secrets.
    """
    return {_EVENT: name, _FIELDS: fields}


class JsonLines(logging.Formatter):
    """Writes the schema.

    Args:
        process: What runs: ``gateway``, ``pool``, ``monitor``, ``controller``, or the name of a job.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line; what JSON cannot hold is written as its text."""
        line: dict[str, object] = {
            "timestamp": _moment(record.created),
            "level": record.levelname,
            "event": getattr(record, _EVENT, PLAIN),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := request_id.current():
            line["request_id"] = request
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        fields: dict[str, object] = getattr(record, _FIELDS, {})
        more = {name: value for name, value in fields.items() if name not in line}
        return orjson.dumps({**line, **more}, default=str, option=_OPTIONS).decode()


def _moment(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
