"""Secrets of sources: a document names the variable that holds one, never the secret itself."""

from __future__ import annotations

import os

from training.errors import SourceUnavailable


def read(variable: str, source: str) -> str:
    """Return the value of an environment variable.

    Raises:
        SourceUnavailable: It is not set.
    """
    found = os.environ.get(variable)
    if not found:
        raise SourceUnavailable(
            source, f"the environment variable {variable}, which must hold its secret, is not set"
        )
    return found
