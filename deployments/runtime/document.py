"""Configuration documents from files: the endpoint file, the training config."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from deployments.contracts import yaml_document
from deployments.contracts.errors import FieldProblem, InvalidDocument

Document = TypeVar("Document", bound=BaseModel)


def read(file: Path, document: type[Document]) -> Document:
    """Read a YAML file into a pydantic model.

    Raises:
        InvalidDocument: The file cannot be read, is not YAML, or does not say what the model wants; every problem
            is told with the path and the line in the file.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidDocument(str(file), (FieldProblem("file", f"cannot be read: {reason}"),)) from error
    return yaml_document.read(text, str(file), document)
