"""Whether what somebody asks of an endpoint may be done, and what would follow from it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployments.contracts.endpoint import ModelEndpoint
from deployments.contracts.errors import FieldProblem, InvalidDocument
from deployments.contracts.model_version import ModelVersion
from deployments.contracts.traffic_policy import TrafficPolicy
from deployments.rollout import aliases, approval, capacity, document_check, policy
from deployments.rollout.endpoint_store import EndpointStore, WantedEndpoint
from deployments.rollout.errors import ApprovalRequired, RolloutRunning
from deployments.rollout.serve_config import Pool
from deployments.rollout.sqlite_rollout_store import SqliteRolloutStore
from deployments.runtime.model_store import ModelStore
from ray_apps.risk_tiers import risk_tiers
from ray_apps.served_pools import pools_of
from ray_apps.settings import Settings


@dataclass(frozen=True, slots=True)
class Intended:
    """What an endpoint file leads to.

    Attributes:
        before: What is wanted of the endpoint now; None if there is none of that name.
        after: What would be wanted.
        wanted: All endpoints as they would be.
        pools: Of the endpoint.
    """

    before: WantedEndpoint | None
    after: WantedEndpoint
    wanted: Mapping[str, WantedEndpoint]
    pools: list[Pool]

    @property
    def is_changed(self) -> bool:
        """Whether the file says something new."""
        return self.before != self.after


class Admission:
    """Of the local stack.

    Args:
        settings: Where models and the control database are.
        store: What is wanted now.
    """

    def __init__(self, settings: Settings, store: EndpointStore) -> None:
        self._store, self._risk_of = store, risk_tiers(settings)
        self._models = ModelStore(settings.models, settings.signers)
        self._rollouts = SqliteRolloutStore(settings.control_database)

    def intend(self, document: ModelEndpoint, source: str) -> Intended:
        """What an endpoint document leads to.

        Args:
            document: Of the endpoint.
            source: For errors.

        Raises:
            InvalidDocument: The document does not fit its packages or the other endpoints.
            RolloutRunning: It has changed, and a rollout of the endpoint is under way.
            ApprovalRequired: A version of high risk would get requests that nobody approved.
        """
        wanted = self._store.endpoints()
        before = wanted.get(document.name)
        if before is not None and document == self._store.owners_file(document.name):
            document = before.document  # nothing new is wanted; a retraining may have added a version since
        elif before is not None:
            document = aliases.kept(document, before.document, before.policy.stable)
        _check_model_is_free(document, wanted, source)
        document_check.check_route(document, [other.document for other in wanted.values()], source)
        held = self._held(document, source)
        if before is not None and before.document == document:
            return Intended(before, before, wanted, capacity.kept_awake(held, [before.policy]))
        if before is not None:
            self.check_owned(document.name)
        made = policy.from_document(document, self._store.last_epoch() + 1, before.policy if before else None)
        self.check_approved(made)
        after = WantedEndpoint(document, before.generation + 1 if before else 1, made)
        pools = capacity.kept_awake(held, [made])
        return Intended(before, after, {**wanted, document.name: after}, pools)

    def pools(self, wanted: WantedEndpoint) -> list[Pool]:
        """The pools of an endpoint, with the replicas that its policy and a rollout of it need.

        Raises:
            InvalidDocument: See ``pools_of``.
        """
        return capacity.kept_awake(self._held(wanted.document, wanted.document.name), [wanted.policy])

    def check_owned(self, name: str) -> None:
        """While a rollout moves an endpoint's weights nobody else does.

        Raises:
            RolloutRunning: One does.
        """
        running = self._rollouts.rollouts().get(name)
        if running is not None and running.is_active:
            raise RolloutRunning(name, running.name, running.state.phase)

    def owed_champion(self, name: str) -> ModelVersion | None:
        """What the alias ``champion`` is to name since an endpoint's promotion, and does not name yet."""
        latest = self._rollouts.rollouts().get(name)
        return latest.owed_champion if latest else None

    def check_approved(self, made: TrafficPolicy) -> None:
        """A version of high risk gets its first requests by a rollout that somebody approved.

        Raises:
            ApprovalRequired: One would get them without.
        """
        for version in approval.unapproved(made, self._risk_of, self._store.history(made.endpoint)):
            raise ApprovalRequired(made.endpoint, str(version))

    def _held(self, document: ModelEndpoint, source: str) -> list[Pool]:
        return capacity.with_capacity(pools_of(document, self._models, source), self._rollouts.rollouts())


def _check_model_is_free(document: ModelEndpoint, wanted: Mapping[str, WantedEndpoint], source: str) -> None:
    """A pool is named for its model version, so two endpoints cannot serve one model."""
    for other in wanted.values():
        if other.document.name != document.name and other.document.spec.model == document.spec.model:
            problem = f"{document.spec.model} is served by the endpoint {other.document.name} already"
            raise InvalidDocument(source, (FieldProblem("spec.model", problem),))
