"""Whether an endpoint's documents can be served: its path is free, and its transformers are in its packages."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from deployments.access.errors import UnlistedRoute
from deployments.access.routes import permission_for
from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.feature_schema import FeatureSchema
from deployments.contracts.package import CODE, MANIFEST, METADATA, SCHEMA, Manifest, ModelMetadata
from deployments.contracts.traffic_policy import DocumentRoute, Documents, Expressions
from deployments.documents.errors import TransformerUnusable
from deployments.documents.expression_transformers import AnswerExpressions, FeatureExpressions
from deployments.documents.packaged_code import file_of, modules_of
from deployments.runtime.package import peek

_METHODS = ("GET", "POST", "PUT", "DELETE")


def check_route(document: ModelEndpoint, others: Iterable[ModelEndpoint], source: str) -> None:
    """Make sure that an endpoint's path is nobody else's.

    Args:
        document: Of the endpoint.
        others: Endpoints that are served; one of the same name is the same endpoint.
        source: For errors.

    Raises:
        InvalidDocument: Raygate has that path, or another endpoint has it and they do not share it.
    """
    if document.spec.documents is None:
        return
    wanted = document.spec.documents.route
    problem = "is a path of Raygate's own" if _is_own(wanted.path) else ""
    for other in others:
        if other.name != document.name and other.spec.documents is not None:
            problem = problem or _conflict(wanted, other.spec.documents.route, other.name)
    if problem:
        raise InvalidDocument(source, (FieldProblem("spec.documents.route", f"{wanted.path} {problem}"),))


def check_transformers(documents: Documents, package_directory: Path, where: str) -> tuple[FieldProblem, ...]:
    """What is wrong with the transformers as far as can be seen without running code of the package.

    Args:
        documents: Of the endpoint file.
        package_directory: Of a version.
        where: Path of that version in the file, for errors.
    """
    named = [("pre", documents.pre), ("post", documents.post)]
    problems = [
        FieldProblem(f"spec.documents.{stage}", message)
        for stage, path in named
        if isinstance(path, str) and (message := _missing(path, package_directory, where))
    ]
    schema = peek(package_directory, SCHEMA, FeatureSchema)
    metadata = peek(package_directory, METADATA, ModelMetadata)
    try:
        if isinstance(documents.pre, Expressions):
            FeatureExpressions(documents.pre, schema)
        if isinstance(documents.post, Expressions):
            AnswerExpressions(documents.post, schema, metadata)
    except TransformerUnusable as error:
        problems.append(FieldProblem(f"spec.documents.{error.path}", f"{error.reason} ({where})"))
    return tuple(problems)


def _missing(path: str, package_directory: Path, where: str) -> str:
    """What of a function's path is not in a package, or nothing."""
    files = peek(package_directory, MANIFEST, Manifest).files
    module, _, name = path.partition(":")
    file = file_of(module, files)
    if file is None:
        known = ", ".join(modules_of(files)) or f"no {CODE}"
        return f"the package of {where} ships no module {module}; it ships {known}"
    found = name in _functions(package_directory / file)
    return "" if found else f"{module} of {where} has no function {name}"


def _is_own(path: str) -> bool:
    for method in _METHODS:
        try:
            permission_for(method, path)
        except UnlistedRoute:
            continue
        return True
    return path.startswith(("/api/v1/admin/", "/v2/", "/monitor/")) or path == "/monitor"


def _conflict(wanted: DocumentRoute, other: DocumentRoute, name: str) -> str:
    if wanted.path != other.path:
        return ""
    if wanted.field is None or wanted.field != other.field:
        return f"is the path of {name}; to share it both name the same field, and a value each"
    return f"with {wanted.field}: {wanted.value} is the path of {name}" if wanted.value == other.value else ""


def _functions(file: Path) -> set[str]:
    """Functions that a module defines, and names that it imports: one may be a function too."""
    names: set[str] = set()
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
    return names
