"""Endpoints over HTTP: what is wanted, applied, overridden, deleted. A call returns when it is in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from fastapi import APIRouter, Request
from pydantic import Field, model_validator

from deployments.access.audit import Action
from deployments.access.caller import Caller
from deployments.contracts.endpoint import SMALLEST_WEIGHT, ModelEndpoint
from deployments.contracts.errors import FieldProblem, InvalidDocument, UnknownEndpoint
from deployments.contracts.model_version import Version
from deployments.contracts.traffic_policy import Frozen
from deployments.gateway.asgi import CALLER
from deployments.rollout.endpoint_store import WantedEndpoint
from deployments.routing.slot_table import SlotTable
from ray_apps.control import Difference

ENDPOINTS = "/api/v1/admin/endpoints"
Audited = Callable[[Caller, Action, str], AbstractContextManager[None]]
Alone = Callable[[], AbstractContextManager[None]]


class SplitControl(Protocol):
    """Who overrides splits: ``ray_apps.control.LocalControl``, on Kubernetes ``SplitOverrides``."""

    def wanted(self) -> Mapping[str, WantedEndpoint]:
        """What is wanted of every endpoint."""
        ...

    def set_traffic(self, name: str, weights: Mapping[Version, float]) -> None:
        """Override the weights."""
        ...

    def switch(self, name: str, version: Version) -> None:
        """Send all traffic to one version."""
        ...

    def switch_back(self, name: str) -> Mapping[Version, float]:
        """Give back the weights of before the last switch."""
        ...


class EndpointControl(SplitControl, Protocol):
    """Who changes endpoints altogether: ``ray_apps.control.LocalControl``."""

    def apply_document(self, document: ModelEndpoint, source: str) -> None:
        """Serve what a document says."""
        ...

    def difference(self, document: ModelEndpoint, source: str) -> Difference:
        """What applying a document would change."""
        ...

    def delete(self, name: str) -> None:
        """Serve an endpoint no more."""
        ...


class EndpointSummary(Frozen):
    """One endpoint as it is wanted.

    Attributes:
        endpoint: Its name.
        model: Its model.
        stable: The version that answers when others cannot.
        weights: Per cent, by version.
        generation: Counts the different files that were applied.
        policy_epoch: Of the policy in force.
        retention_days: Days that its predictions are kept; None leaves it to the log's job.
    """

    endpoint: str
    model: str
    stable: Version
    weights: dict[Version, float]
    generation: int
    policy_epoch: int
    retention_days: int | None = None


class WantedTraffic(Frozen):
    """Weights in per cent, by version; they add up to 100."""

    weights: dict[Version, float]


class WantedSwitch(Frozen):
    """The version that is to get all traffic; none with ``back``, for the weights of before the last switch."""

    version: Version | None = None
    back: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> WantedSwitch:
        if (self.version is None) != self.back:
            raise ValueError("name a version, or back: true")
        return self


class Applied(Frozen):
    """What applying a document changes, or would change.

    Attributes:
        in_words: A sentence for each change.
        configs: Lines of Serve's configs by application; of a dry run only.
    """

    in_words: tuple[str, ...]
    configs: dict[str, str] = Field(default_factory=dict)


def reading(wanted: Callable[[], Mapping[str, WantedEndpoint]]) -> APIRouter:
    """The route that lists what is wanted.

    Args:
        wanted: Of every endpoint, by name.
    """
    routes = APIRouter(tags=["endpoints"])

    @routes.get(ENDPOINTS)
    def read() -> list[EndpointSummary]:
        """Every endpoint."""
        return [_summary(endpoint) for endpoint in wanted().values()]

    return routes


def overriding(control: SplitControl, audited: Audited, alone: Alone) -> APIRouter:
    """The routes that override splits by hand.

    Args:
        control: Does what is asked.
        audited: Puts what happens inside into the audit.
        alone: Held while something is changed.
    """
    routes = APIRouter(tags=["endpoints"])

    @routes.put(f"{ENDPOINTS}/{{endpoint}}/traffic")
    def traffic(endpoint: str, wanted: WantedTraffic, request: Request) -> EndpointSummary:
        """Override the weights until the file changes."""
        with audited(request.scope[CALLER], Action.TRAFFIC_CHANGED, endpoint), alone():
            _check_weights(wanted.weights)
            control.set_traffic(endpoint, wanted.weights)
        return _summary(control.wanted()[endpoint])

    @routes.post(f"{ENDPOINTS}/{{endpoint}}/switch")
    def switch(endpoint: str, wanted: WantedSwitch, request: Request) -> EndpointSummary:
        """Send all traffic to one version at once, or back: blue/green."""
        with audited(request.scope[CALLER], Action.TRAFFIC_CHANGED, endpoint), alone():
            if wanted.version is None:
                control.switch_back(endpoint)
            else:
                control.switch(endpoint, wanted.version)
        return _summary(control.wanted()[endpoint])

    return routes


def router(control: EndpointControl, audited: Audited, alone: Alone) -> APIRouter:
    """The other routes, where endpoints are changed over HTTP.

    Args:
        control: Does what is asked.
        audited: Puts what happens inside into the audit.
        alone: Held while something is changed.
    """
    routes = APIRouter(tags=["endpoints"])

    @routes.get(f"{ENDPOINTS}/{{endpoint}}")
    def document(endpoint: str) -> dict[str, Any]:
        """The endpoint file that was last applied."""
        known = control.wanted()
        if endpoint not in known:
            raise UnknownEndpoint(endpoint, tuple(known))
        return known[endpoint].document.model_dump(mode="json", by_alias=True, exclude_none=True)

    @routes.put(f"{ENDPOINTS}/{{endpoint}}")
    def apply(endpoint: str, document: dict[str, Any], request: Request, dry_run: bool = False) -> Applied:
        """Serve what an endpoint document says; with ``dry_run`` say what would change."""
        if dry_run:
            difference = control.difference(_document(document, endpoint), endpoint)
            return Applied(in_words=difference.in_words, configs=dict(difference.configs))
        with audited(request.scope[CALLER], Action.ENDPOINT_APPLIED, endpoint), alone():
            read = _document(document, endpoint)
            difference = control.difference(read, endpoint)
            control.apply_document(read, endpoint)
        return Applied(in_words=difference.in_words)

    @routes.delete(f"{ENDPOINTS}/{{endpoint}}", status_code=204)
    def delete(endpoint: str, request: Request) -> None:
        """Serve an endpoint no more; its packages and its history stay."""
        with audited(request.scope[CALLER], Action.ENDPOINT_DELETED, endpoint), alone():
            control.delete(endpoint)

    return routes


def _check_weights(weights: Mapping[Version, float]) -> None:
    """Make sure that they are shares of a split.

    Raises:
        InvalidDocument: Names every one that is none, or their sum.
    """
    problems = tuple(
        FieldProblem(f"weights.{version}", f"is {weight:g}; a weight is 0, or {SMALLEST_WEIGHT:g} to 100 per cent")
        for version, weight in weights.items()
        if weight != 0 and not SMALLEST_WEIGHT <= weight <= 100
    )
    total = sum(weights.values())
    if not problems and abs(total - 100) > 1e-6:
        problems = (FieldProblem("weights", f"add up to {total:g}, not to 100"),)
    if problems:
        raise InvalidDocument("traffic", problems)


def _document(plain: dict[str, Any], endpoint: str) -> ModelEndpoint:
    """The document of a body, which must be of the endpoint that the path names.

    Raises:
        InvalidDocument: It is not.
    """
    import yaml  # JSON is YAML, and there every problem is told with its place

    from deployments.contracts import endpoint as documents

    document = documents.parse(yaml.safe_dump(plain), endpoint)
    if document.name != endpoint:
        problem = FieldProblem("metadata.name", f"is {document.name}, but the path names {endpoint}")
        raise InvalidDocument(endpoint, (problem,))
    return document


def _summary(wanted: WantedEndpoint) -> EndpointSummary:
    shares = SlotTable(wanted.policy.slots).shares
    return EndpointSummary(
        endpoint=wanted.document.name,
        model=wanted.policy.model,
        stable=wanted.policy.stable,
        weights={version: 100 * shares.get(version, 0.0) for version in wanted.policy.versions},
        generation=wanted.generation,
        policy_epoch=wanted.policy.policy_epoch,
        retention_days=wanted.document.spec.request_log.retention_days,
    )
