"""What follows for a record from the gateway's answer. Pure."""

from __future__ import annotations

from enum import StrEnum

from deployments.gateway.problems import Code

ATTEMPTS_AT_AN_UNKNOWN_ERROR = 5
"""An error that nobody foresaw may pass; a record that causes it must not stop its partition for ever."""
_OF_THE_RECORD = frozenset({400, 413, 422})
_OF_THE_CALLER = frozenset({401, 403})
_OF_THE_RECORD_OR_ALL = frozenset({Code.DEADLINE_EXCEEDED.value, Code.MODEL_UNAVAILABLE.value})
"""A record at which the model hangs or dies is answered so, and so is every record in an outage."""
_OF_THE_MODEL = frozenset({Code.MODEL_ERROR.value, Code.TRANSFORMER_ERROR.value})


class Fate(StrEnum):
    """What becomes of a record; one that is suspected is asked again until its trial finds it guilty."""

    RESULT = "result"
    REJECTED = "rejected"
    AGAIN = "again"
    SUSPECTED = "suspected"
    REFUSED = "refused"


def fate(status: int, code: str, attempt: int) -> Fate:
    """Decide by an answer.

    A path or a model that is not there (404) is asked again: a gateway that has just started knows no endpoint,
    and sound records must not be rejected for that.

    Args:
        status: Of HTTP.
        code: Of the gateway's error document, or empty.
        attempt: How often the record was asked about, from 1.
    """
    if status == 200:
        return Fate.RESULT
    if status in _OF_THE_RECORD or code in _OF_THE_MODEL:
        return Fate.REJECTED
    if status in _OF_THE_CALLER:
        return Fate.REFUSED
    if code == Code.INTERNAL_ERROR and attempt >= ATTEMPTS_AT_AN_UNKNOWN_ERROR:
        return Fate.REJECTED
    return Fate.SUSPECTED if code in _OF_THE_RECORD_OR_ALL else Fate.AGAIN
