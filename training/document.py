"""Reading a YAML document so that an error can name the line it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deployments.contracts.errors import FieldProblem, InvalidDocument

Place = tuple[str | int, ...]
Document = TypeVar("Document", bound=BaseModel)


def read(file: Path, document: type[Document]) -> Document:
    """Read a YAML file into a pydantic model.

    Raises:
        InvalidDocument: The file cannot be read, is not YAML, or does not say what the model wants; every problem
            is told with the path and the line in the file.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        problem = FieldProblem("file", f"cannot be read: {error.strerror or error}")
        raise InvalidDocument(str(file), (problem,)) from error
    return parse(text, document, source=str(file))


def parse(text: str, document: type[Document], source: str) -> Document:
    """Read YAML text into a pydantic model; ``source`` names the text in errors.

    Raises:
        InvalidDocument: As for ``read``.
    """
    try:
        content = yaml.safe_load(text)
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or "cannot be parsed"
        problem = FieldProblem("YAML", message, mark.line + 1 if mark else 0)
        raise InvalidDocument(source, (problem,)) from error
    try:
        return document.model_validate(content)
    except ValidationError as error:
        lines = _lines(tree)
        problems = tuple(_problem(item["loc"], item["msg"], lines) for item in error.errors())
        raise InvalidDocument(source, problems) from error


def _problem(location: Place, message: str, lines: dict[Place, int]) -> FieldProblem:
    # pydantic puts the tag of a union's member into the path; the document has no such level.
    known: Place = ()
    for step in location:
        if (*known, step) in lines or step is location[-1]:
            known = (*known, step)
    near = known
    while near and near not in lines:
        near = near[:-1]
    return FieldProblem(_dotted(known), message.removeprefix("Value error, "), lines.get(near, 0))


def _dotted(place: Place) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".") or "document"


def _lines(node: Any, place: Place = ()) -> dict[Place, int]:
    """Return the line, counted from 1, of every key and list item of a document."""
    if node is None:
        return {}
    found = {place: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found |= _lines(value, (*place, key.value)) | {(*place, key.value): key.start_mark.line + 1}
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            found |= _lines(value, (*place, position))
    return found
