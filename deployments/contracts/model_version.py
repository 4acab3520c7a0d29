"""Names and numbers of model versions: ``credit_risk_v1.10.0``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from deployments.contracts.errors import InvalidVersion

_NUMBER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_MODEL_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases of the registry: of the version that callers get, and of one that is to earn its traffic."""
# RayService and RayJob names may have 47 characters (KubeRay); the longest suffix that we add is "-v99.99.999".
MODEL_NAME_LIMIT = 36


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """A semantic version number; compares numerically, so 1.10.0 is newer than 1.9.0."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read ``1.10.0``.

        Raises:
            InvalidVersion: The text is not three numbers without leading zeros, joined by dots.
        """
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise InvalidVersion(text, "a version number such as 1.10.0")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string in every document, a Version in every model; a bad text is the field's own error."""

        def read(value: Any) -> Version:
            if isinstance(value, Version):
                return value
            if not isinstance(value, str):
                raise ValueError(f"{value!r} is not text; quote a version number: '1.10.0'")
            try:
                return cls.parse(value)
            except InvalidVersion as error:
                raise ValueError(str(error)) from error

        return core_schema.no_info_plain_validator_function(
            read,
            serialization=core_schema.to_string_ser_schema(),
            json_schema_input_schema=core_schema.str_schema(pattern=rf"^{_NUMBER.pattern}$"),
        )


@dataclass(frozen=True, order=True, slots=True)
class ModelVersion:
    """One version of one model; its text names the pool, the Serve application and the package."""

    model: str
    version: Version

    @classmethod
    def parse(cls, text: str) -> ModelVersion:
        """Read ``credit_risk_v1.10.0``.

        Raises:
            InvalidVersion: The text is not ``<model_name>_v<major>.<minor>.<patch>``.
        """
        model, separator, number = text.rpartition("_v")
        if not separator:
            raise InvalidVersion(text, "a model version such as credit_risk_v1.10.0")
        return cls(model_name(model), Version.parse(number))

    def __str__(self) -> str:
        return f"{self.model}_v{self.version}"

    @property
    def kubernetes_name(self) -> str:
        """Name for Kubernetes: ``credit-risk-v1-10-0``. Model names have no hyphen, so no two collide."""
        return str(self).replace("_", "-").replace(".", "-")


def model_name(text: str) -> str:
    """Return the text if it can name a model.

    Raises:
        InvalidVersion: Not lower-case letters, digits and single underscores, or longer than 36 characters.
    """
    if len(text) > MODEL_NAME_LIMIT or not _MODEL_NAME.fullmatch(text):
        raise InvalidVersion(
            text,
            f"a model name: at most {MODEL_NAME_LIMIT} lower-case letters, digits and single underscores, "
            "the first a letter",
        )
    return text
