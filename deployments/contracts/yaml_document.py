"""YAML text into a pydantic model; every problem names its field and its line."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from deployments.contracts.errors import FieldProblem, InvalidDocument

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]


def read(text: str, source: str, model: type[Model]) -> Model:
    """Read one document.

    Args:
        text: YAML.
        source: Where it comes from, for errors.
        model: What it must be.

    Raises:
        InvalidDocument: Not YAML, a key stands twice, or it is not what the model says.
    """
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or str(error)
        problem = FieldProblem("document", f"is not YAML: {message}", mark.line + 1 if mark else 0)
        raise InvalidDocument(source, (problem,)) from error
    except (ValueError, RecursionError) as error:  # a date that does not exist, a node inside itself
        raise InvalidDocument(source, (FieldProblem("document", f"cannot be read: {error}"),)) from error
    if tree is None:
        raise InvalidDocument(source, (FieldProblem("document", "is empty"),))
    lines: dict[Path, int] = {}
    repeated: list[FieldProblem] = []
    _walk(tree, (), lines, repeated)
    if repeated:
        raise InvalidDocument(source, tuple(repeated))
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        problems = tuple(_problem(found, lines) for found in error.errors())
        raise InvalidDocument(source, problems) from error


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], repeated: list[FieldProblem]) -> None:
    """Note the line of every node, and keys that stand twice, of which YAML would silently keep the last."""
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            _walk(child, (*path, position), lines, repeated)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            below = (*path, str(key.value))
            if below in lines:
                repeated.append(FieldProblem(_text(below), "stands twice", key.start_mark.line + 1))
            _walk(child, below, lines, repeated)
            lines[below] = key.start_mark.line + 1


def _problem(found: Any, lines: dict[Path, int]) -> FieldProblem:
    place = _in_document(tuple(found["loc"]), lines)
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "extra_forbidden":
        message = "unknown field"
    elif (
        found["type"] != "missing"
        and "secret" not in message  # what stands in place of a reference may be the secret itself
        and isinstance(found["input"], str | int | float | bool)
    ):
        message = f"{message} (got {found['input']!r})"
    known = place
    while known and known not in lines:
        known = known[:-1]
    return FieldProblem(_text(place) or "document", message, lines.get(known, 0))


def _in_document(location: Path, lines: dict[Path, int]) -> Path:
    """The path without what the document has no level for: pydantic puts the tag of a union's member into it."""
    place: Path = ()
    for position, step in enumerate(location):
        if (*place, step) in lines or position == len(location) - 1:
            place = (*place, step)
    return place


def _text(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
