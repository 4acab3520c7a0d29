"""Where a secret is, instead of what it is: ``env:NAME`` or ``file:/path``.

Configuration holds references only, so it may be shown on a dashboard and kept in Git. A process resolves them
when it starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from deployments.contracts.errors import RaygateError

_ENVIRONMENT, _FILE = "env:", "file:"
_EXPECTED = "a reference to a secret: env:NAME or file:/absolute/path"


class SecretUnavailable(RaygateError):
    """A reference leads to no secret. Never carries the secret itself."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(reference, reason)
        self.reference, self.reason = reference, reason

    def __str__(self) -> str:
        return f"the secret {self.reference} {self.reason}"


def is_reference(text: str) -> bool:
    """Whether a text has the form of a reference."""
    if text.startswith(_ENVIRONMENT):
        return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text.removeprefix(_ENVIRONMENT)) is not None
    return text.startswith(_FILE) and text.removeprefix(_FILE).startswith("/")


def resolve(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The secret behind a reference; the line end of a file's last line does not belong to it.

    Raises:
        SecretUnavailable: It is no reference (its text is not repeated: it may be the secret itself), the variable
            is not set, the file cannot be read, or there is nothing in it.
    """
    if not is_reference(reference):
        raise SecretUnavailable("<not shown>", f"is not {_EXPECTED}")
    if reference.startswith(_ENVIRONMENT):
        secret = environment.get(reference.removeprefix(_ENVIRONMENT), "")
        missing = "is not set, or empty"
    else:
        secret, missing = _file_content(reference), "is an empty file"
    if not secret:
        raise SecretUnavailable(reference, missing)
    return secret


def given_or_resolved(text: str) -> str:
    """A setting's text, or the secret behind it where it is a reference.

    Raises:
        SecretUnavailable: The reference leads nowhere.
    """
    return resolve(text) if is_reference(text) else text


def _file_content(reference: str) -> str:
    try:
        text = Path(reference.removeprefix(_FILE)).read_text(encoding="utf-8")
    except OSError as error:
        raise SecretUnavailable(reference, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SecretUnavailable(reference, "is not UTF-8 text") from error
    return text.removesuffix("\n").removesuffix("\r")


def _checked(text: str) -> str:
    if not is_reference(text):
        raise ValueError(f"must be {_EXPECTED}")
    return text


SecretReference = Annotated[str, AfterValidator(_checked)]
"""Type of a configuration field that says where a secret is."""
